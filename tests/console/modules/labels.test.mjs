// What is written at a step.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf } from "./flows.mjs";

const { formatSubtitle, truncateToWidth, formatTooltip, truncateJson, formatTitle } = await import(
  `${process.env.LFR_CONSOLE}/graph/labels.js`
);
const { ExactNumber } = await import(`${process.env.LFR_CONSOLE}/client/exact-json.js`);

const length = (text) => text.length;

test("JSON is shown from its beginning, whatever there is", () => {
  const value = { a: [1, "x", null, true], b: { c: "d" } };
  assert.deepEqual(JSON.parse(truncateJson(value, 200)), value);
  assert.equal(truncateJson(value, 10), '{"a": [1,…');
  assert.equal(truncateJson({}, 10), "{}");
  assert.equal(truncateJson([new ExactNumber("12345678901234567890")], 100), "[12345678901234567890]");
});

test("a huge value costs what is shown of it", () => {
  let reads = 0;
  const huge = new Proxy(
    Array.from({ length: 100_000 }, () => 7),
    {
      get: (target, key) => {
        reads += 1;
        return target[key];
      },
    },
  );
  assert.equal(truncateJson(huge, 40).length, 40);
  assert.ok(reads < 200, `${reads} reads`);
  assert.equal(truncateJson("y".repeat(5_000_000), 40).length, 40);
  let deep = [];
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
  assert.equal(truncateJson(deep, 40), `${"[".repeat(39)}…`);
});

test("texts are cut at their end, or in the middle where the end tells more", () => {
  assert.equal(truncateToWidth("abcdef", 6, length), "abcdef");
  assert.equal(truncateToWidth("abcdefg", 6, length), "abcde…");
  const middle = truncateToWidth("file:///data/orders/2026/order.json", 16, length, true);
  assert.ok(middle.startsWith("file:") && middle.endsWith("der.json") && middle.length <= 16, middle);
  assert.equal(truncateToWidth("abc", 0, length), "…");
});

test("no character is cut in two", () => {
  for (let width = 1; width < 14; width += 1) {
    for (const middle of [false, true]) {
      const shown = truncateToWidth("🙂".repeat(20), width, length, middle);
      assert.ok(shown.isWellFormed?.() ?? true, `width ${width}: ${shown}`);
      assert.ok(shown.length <= width);
    }
  }
});

test("titles are one line, and say what the step is", () => {
  assert.equal(formatTitle({ kind: "task", name: "wait:delay" }), "wait:delay");
  assert.equal(formatTitle({ kind: "literal", value: { a: 1 } }), '{"a": 1}');
  assert.equal(formatTitle({ kind: "literal" }), "a value", "where values are left out");
  assert.equal(formatTitle({ kind: "literal", value: null }), "null");
  assert.equal(formatTitle({ kind: "resource", uri: "a\n b" }), "a b");
  assert.equal(formatSubtitle({ kind: "task", name: "notify", base: "mail:send" }), "mail:send");
  assert.equal(formatSubtitle({ kind: "task", name: "notify", base: "notify" }), "");
  assert.ok(formatTitle({ kind: "task", name: "z".repeat(1_000_000) }).length <= 200);
});

test("a subflow without a name is called after what is in it", () => {
  const title = (...statements) => {
    const flow = flowOf([[{ all: statements }]]);
    return formatTitle(flow.steps[1], flow);
  };
  assert.equal(title(["it:x"]), "it:x");
  assert.equal(title([{ name: "it:x", iterate: true }]), "* it:x");
  assert.equal(title(["pack", "wrap"], ["weigh"]), "3 steps: pack, wrap, weigh");
  assert.equal(title(["pack", { all: [["wrap"]] }]), "2 steps: pack, wrap");
  const many = title(Array.from({ length: 500 }, (_, place) => `step-${place}`));
  assert.ok(many.startsWith("500 steps: step-0, step-1") && many.endsWith(" …") && many.length <= 200, many);
  const flow = flowOf([[{ name: "parcel", all: [["pack"]] }]]);
  assert.equal(formatTitle(flow.steps[1], flow), "parcel");
});

test("the tooltip has the whole guard, the parameters, and only the documentation that is there", () => {
  const step = { index: 4, kind: "task", name: "constructor", guard: " $.a ", parameters: { n: 1 } };
  assert.deepEqual(formatTooltip(step, { docs: {} }), ["4: constructor", "if $.a", 'parameters {"n": 1}']);
  assert.deepEqual(formatTooltip({ index: 1, kind: "task", name: "a" }, { docs: { a: "Does it." } }), [
    "1: a",
    "Does it.",
  ]);
});
