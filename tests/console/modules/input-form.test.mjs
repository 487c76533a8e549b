// The form for declared inputs: its fields, and the input that they make.

import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { test } from "node:test";

setFlagsFromString("--harmony-json-parse-with-source"); // what browsers have; newer nodes, too
const { buildInput, formatLine, listFields, placeErrors, readContent } = await import(
  `${process.env.LFR_CONSOLE}/state/input-form.js`
);
const { formatJson, parseJson } = await import(`${process.env.LFR_CONSOLE}/client/exact-json.js`);

const INPUTS = parseJson(`{
  "branch": {"type": "string", "required": true, "pattern": "^[a-z]+$", "title": "Branch",
    "description": "what to build"},
  "level": {"enum": ["debug", "release", 3, null], "default": "debug"},
  "tries": {"type": "integer", "minimum": 1, "maximum": 12345678901234567890, "default": 1},
  "share": {"type": "number", "maximum": 0.5},
  "clean": {"type": "boolean"},
  "push": {"type": "boolean", "default": true},
  "ask": {"type": "boolean", "required": true},
  "tags": {"type": "array", "default": ["a", 2]},
  "extra": {}
}`);
const fields = listFields(INPUTS);
const fieldOf = (name) => fields.find((field) => field.name === name);
const build = (contents) => buildInput(fields, new Map(Object.entries(contents)));
const inputOf = (contents) => {
  const { input, errors } = build(contents);
  assert.deepEqual([...errors], []);
  return formatLine(input);
};

test("each declaration has a field of its kind, in their order", () => {
  const kinds = fields.map(({ name, kind }) => `${name} ${kind}`);
  assert.deepEqual(kinds, [
    "branch text",
    "level choice",
    "tries number",
    "share number",
    "clean check",
    "push check",
    "ask check",
    "tags json",
    "extra json",
  ]);
  assert.equal(fieldOf("branch").label, "Branch");
  assert.equal(fieldOf("tries").label, "tries");
  assert.equal(fieldOf("branch").required, true);
  assert.equal(fieldOf("level").required, false);
  assert.deepEqual(
    fieldOf("level").options.map(({ label }) => label),
    ["debug", "release", "3", "null"],
  );
});

test("a hint says what a value may be", () => {
  const hints = Object.fromEntries(fields.map(({ name, hint }) => [name, hint]));
  assert.equal(hints.branch, "what to build. A text that matches ^[a-z]+$");
  assert.equal(hints.level, "Default: debug");
  assert.equal(hints.tries, "A whole number from 1 to 12345678901234567890. Default: 1");
  assert.equal(hints.share, "A number, 0.5 or less.");
  assert.equal(hints.tags, 'A list, as JSON. Default: ["a", 2]');
  assert.equal(hints.extra, "Any value, as JSON.");
  assert.equal(hints.push, "");
});

test("fields show defaults, and the server fills them in", () => {
  const contents = new Map();
  assert.equal(readContent(fieldOf("level"), contents), '"debug"');
  assert.equal(readContent(fieldOf("tries"), contents), "1");
  assert.equal(readContent(fieldOf("push"), contents), true);
  assert.equal(readContent(fieldOf("clean"), contents), false);
  assert.equal(parseJson(readContent(fieldOf("tags"), contents))[1], 2);
  assert.equal(inputOf({}), '{"ask": false}'); // a check that is required has a value in any case
});

test("contents become values, with numbers as they are written", () => {
  const contents = {
    branch: "main",
    level: "3",
    tries: "12345678901234567890",
    share: " -1e-2 ",
    clean: false,
    push: false,
    ask: true,
    tags: "[1, {}]",
    extra: "null",
  };
  assert.equal(
    inputOf(contents),
    '{"branch": "main", "level": 3, "tries": 12345678901234567890, "share": -0.01, "clean": false, ' +
      '"push": false, "ask": true, "tags": [1, {}], "extra": null}',
  );
  const line = formatLine({ text: "two\nlines,\nof a text", list: [1, 2] });
  assert.deepEqual(JSON.parse(line), { text: "two\nlines,\nof a text", list: [1, 2] });
  assert.equal(line.includes("\n"), false);
});

test("an empty field has no value, but for a text with a default", () => {
  const empty = { branch: "", tries: " ", share: "", tags: "", extra: "", ask: true };
  assert.equal(inputOf(empty), '{"ask": true}');
  const [field] = listFields({ greeting: { type: "string", default: "hello" } });
  assert.equal(readContent(field, new Map()), "hello");
  assert.deepEqual(buildInput([field], new Map([["greeting", ""]])).input, { greeting: "" });
});

test("what is no value is an error of its field", () => {
  const { errors } = build({ tries: "many", share: "[1]", tags: "[1", extra: "{a: 1}", branch: "x" });
  assert.deepEqual([...errors.keys()], ["tries", "share", "tags", "extra"]);
  assert.equal(errors.get("tries"), "input.tries must be a whole number, as 5");
  assert.equal(errors.get("share"), "input.share must be a number, as 0.5");
  assert.match(errors.get("tags"), /^input\.tags is not JSON: /);
});

test("a content of another version that does not fit the field is not used", () => {
  const [level] = listFields({ level: { enum: ["fast"] } });
  assert.equal(readContent(level, new Map([["level", '"debug"']])), "");
  const [check] = listFields({ level: { type: "boolean", default: true } });
  assert.equal(readContent(check, new Map([["level", '"debug"']])), true);
  const [text] = listFields({ level: { type: "string" } });
  assert.equal(readContent(text, new Map([["level", true]])), "");
});

test("a flow without declarations has one field for the whole input", () => {
  const whole = listFields({});
  assert.deepEqual(
    whole.map(({ label, kind }) => [label, kind]),
    [["Input", "json"]],
  );
  const read = (content) => buildInput(whole, new Map([[whole[0].name, content]]));
  assert.equal(read("").input, undefined);
  assert.equal(formatJson(read("[12345678901234567890]").input, 0), "[\n12345678901234567890\n]");
  assert.match(read("{").errors.get(whole[0].name), /^the input is not JSON/);
});

test("a member may have any name", () => {
  const inputs = parseJson('{"__proto__": {"type": "string"}, "constructor": {"type": "string"}, "": {}}');
  const contents = new Map([
    ["__proto__", "x"],
    ["constructor", "y"],
    ["", "1"],
  ]);
  const { input } = buildInput(listFields(inputs), contents);
  assert.equal(formatLine(input), '{"__proto__": "x", "constructor": "y", "": 1}');
  assert.equal({}.x, undefined);
});

test("the errors of a start are sorted by field", () => {
  const refuse = (problem, id = "") => placeErrors({ hint: "", inputs: [], ...problem }, fields, id);
  const known = { name: "tries", message: "input.tries is 9" };
  const unknown = { name: "other", message: "input.other is unknown" };
  const placed = refuse({ status: 400, inputs: [known] }, "mine");
  assert.deepEqual([...placed.errors], [["tries", "input.tries is 9"]]);
  assert.deepEqual([placed.problem, placed.idError], [null, ""]);
  const both = refuse({ status: 400, inputs: [known, unknown] });
  assert.equal(both.errors.size, 1);
  assert.equal(both.problem.status, 400);
  const conflict = refuse({ status: 409, message: "it exists", hint: "choose another id" }, "mine");
  assert.deepEqual([conflict.idError, conflict.problem], ["it exists: choose another id", null]);
  for (const status of [0, 403, 404, 503]) assert.equal(refuse({ status }, "mine").problem.status, status);
  assert.equal(refuse({ status: 400 }).problem.status, 400);
});
