// What somebody has typed on the start page, and what a run fills in.

import assert from "node:assert/strict";
import { test } from "node:test";

const { fillStoredDraft, fillTextDraft, readStoredDraft, textDraft } = await import(
  `${process.env.LFR_CONSOLE}/state/drafts.js`
);

test("a run fills the draft of a text, in place of what is there", () => {
  Object.assign(textDraft, { text: "old", file: "old.flow", input: "1", id: "mine" });
  fillTextDraft("A -> B", { n: 1 });
  assert.deepEqual(textDraft, { text: "A -> B", file: "", input: '{\n  "n": 1\n}', id: "" });
  fillTextDraft("A", {});
  assert.equal(textDraft.input, "");
});

test("a run fills the fields of a stored flow", () => {
  const inputs = {
    name: { type: "string" },
    on: { type: "boolean" },
    n: { type: "integer" },
    level: { enum: ["a", 1] },
  };
  fillStoredDraft({ name: "f", inputs }, { name: "x", on: true, n: 5, level: 1, other: 2 });
  const { contents, id } = readStoredDraft("f");
  assert.deepEqual(Object.fromEntries(contents), { name: "x", on: true, n: "5", level: "1" });
  assert.equal(id, "");
  fillStoredDraft({ name: "g", inputs: {} }, [1]);
  assert.deepEqual([...readStoredDraft("g").contents.keys()], ["input"]);
});
