// JSON whose numbers stay what they were.

import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { test } from "node:test";

setFlagsFromString("--harmony-json-parse-with-source"); // what browsers have; newer nodes, too
const { ExactNumber, parseJson, formatJson } = await import(
  `${process.env.LFR_CONSOLE}/client/exact-json.js`
);

test("integers of any length come back digit by digit", () => {
  for (const text of [
    "0",
    "-1",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-12345678901234567890",
    "1".repeat(400),
  ]) {
    assert.equal(formatJson(parseJson(text)), text);
    assert.equal(formatJson(parseJson(`{"deep": [${text}]}`), 0).replace(/\s/g, ""), `{"deep":[${text}]}`);
  }
});

test("other numbers change only in how they are written", () => {
  for (const [text, expected] of [
    ["1.0", "1"],
    ["0.1", "0.1"],
    ["1e3", "1000"],
    ["1.50", "1.5"],
    ["-2.5e-3", "-0.0025"],
    ["0.0", "0"],
    ["0e5", "0"],
  ]) {
    assert.equal(formatJson(parseJson(text)), expected, text);
  }
  for (const text of ["0.12345678901234567", "1e400", "-1e400", "1e-400", "3.14159265358979323846"]) {
    assert.ok(parseJson(text) instanceof ExactNumber, text);
    assert.equal(formatJson(parseJson(text)), text);
  }
});

test("what is written is read as the same", () => {
  const values = [
    null,
    true,
    "",
    '\u2028"\\\n\u0000',
    [],
    {},
    [[], {}, [1, [2]]],
    { a: { "b c": [null, { "": 0 }] } },
    "😀",
  ];
  for (const value of values) {
    assert.deepEqual(JSON.parse(formatJson(value)), value);
    assert.equal(formatJson(value), JSON.stringify(value, null, 2));
  }
});

test("no key is another's", () => {
  const value = parseJson('{"__proto__": {"polluted": 1}, "constructor": 2}');
  assert.equal({}.polluted, undefined);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(
    JSON.parse(formatJson(value)),
    JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}'),
  );
});

test("190 levels and 5,000 keys are nothing special", () => {
  const deep = "[".repeat(190) + "]".repeat(190);
  assert.equal(formatJson(parseJson(deep)).replace(/\s/g, ""), deep);
  const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`k${at}`, at]));
  assert.deepEqual(parseJson(JSON.stringify(wide)), wide);
});

test("what is no JSON is an error", () => {
  for (const text of ["", "{", "{a: 1}", "01", "'a'"]) assert.throws(() => parseJson(text), SyntaxError);
});
