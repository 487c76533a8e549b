// What somebody wants to know first of a workflow.

import assert from "node:assert/strict";
import { test } from "node:test";

const { describeStatus } = await import(`${process.env.LFR_CONSOLE}/format/workflow-status.js`);
const { isolateBidi } = await import(`${process.env.LFR_CONSOLE}/format/text.js`);

const now = Date.parse("2026-11-28T12:00:00Z");
const step = (index, more = {}) => ({
  index,
  kind: "task",
  name: `s${index}`,
  state: "RUNNING",
  started: "2026-11-28T11:59:59Z",
  ended: null,
  attempt: 1,
  tries: 1,
  reason: null,
  ...more,
});
const workflow = (state, steps = [], more = {}) => ({
  state,
  steps,
  reason: null,
  flow: { steps: Array.from({ length: 20 }, () => ({})) },
  ...more,
});
const texts = (sentences) => sentences.map(({ text }) => text);

test("a finished workflow has no sentence", () => {
  for (const state of ["FINISHED", "TERMINATING"]) assert.deepEqual(describeStatus(workflow(state), now), []);
  assert.match(describeStatus(workflow("TERMINATED"), now)[0].text, /Restart continues it/);
});

test("an item that has finished says what remains of it", () => {
  const warning = "item 3 of step 1 of workflow:x finished at 10:00Z; its steps were deleted then";
  const [{ tone, text }] = describeStatus(workflow("FINISHED", [], { warning }), now);
  assert.deepEqual(
    [tone, text.replace(/[\u2066-\u2069]/gu, "")],
    ["done", `Only its input and its output remain: ${warning}.`],
  );
});

test("the first failure with its reason, and the number of others", () => {
  const steps = [
    step(1, { state: "DONE" }),
    step(4, { state: "FAILED", ended: "2026-11-28T11:00:02Z", reason: "late" }),
    step(3, { state: "FAILED", ended: "2026-11-28T11:00:01Z", reason: "early" }),
  ];
  assert.deepEqual(describeStatus(workflow("FAILED", steps), now), [
    { tone: "failed", step: 3, text: "Step 3, s3, failed: early. 1 more failed." },
  ]);
  assert.deepEqual(
    texts(describeStatus(workflow("FAILED", [step(1, { state: "FAILED", ended: "x" })]), now)),
    ["Step 1, s1, failed: no reason given."],
  );
  assert.deepEqual(texts(describeStatus(workflow("FAILED", [], { reason: "why" }), now)), ["why"]);
  const running = [step(2), step(3), step(4, { kind: "subflow" })];
  const failed = step(1, { state: "FAILED", ended: "x", reason: "no disk" });
  for (const [others, words] of [
    [running, "2 other steps still run."],
    [running.slice(0, 1), "One other step still runs."],
  ])
    assert.ok(texts(describeStatus(workflow("FAILED", [failed, ...others]), now))[0].endsWith(words));
});

test("waits and progress", () => {
  const cases = [
    [
      { waits_for: { event: "paid", until: "2026-11-28T14:00:00Z" } },
      "Step 1, s1, waits for an event paid; it times out in 2 h",
    ],
    [{ waits_for: { event: "paid", until: null } }, "Step 1, s1, waits for an event paid"],
    [{ waits_for: { latch: "disk", until: null } }, "Step 1, s1, waits until the latch disk is at zero"],
    [{ waits_for: { until: "2026-11-28T12:00:30Z" } }, "Step 1, s1, continues in 30 s"],
    [{ items: { total: 12, done: 3 } }, "Step 1, s1, has done 3 of 12 items"],
    [{ items: { total: null, done: 0 } }, "Step 1, s1, has done 0 of its items"],
    [{ progress: { fraction: 0.421, text: "half" } }, "Step 1, s1, is at 42 %: half"],
    [{ progress: { fraction: 0, text: "" } }, "Step 1, s1, is at 0 %"],
    [{ attempt: 5, tries: 2, reason: "503" }, "Step 1, s1, is retried (attempt 2): 503"],
    [{ started: "2026-11-28T11:58:00Z" }, "Step 1, s1, has waited for the result of its worker for 2 min"],
  ];
  for (const [more, expected] of cases)
    assert.deepEqual(texts(describeStatus(workflow("RUNNING", [step(1, more)]), now)), [expected]);
  // A moment is nothing to speak of.
  assert.deepEqual(describeStatus(workflow("RUNNING", [step(1)]), now), []);
  assert.deepEqual(
    describeStatus(workflow("RUNNING", [step(1, { kind: "subflow", started: "2026-11-28T11:00:00Z" })]), now),
    [],
  );
});

test("a task that no live worker does", () => {
  const waits = { until: null, worker: "s1", message: "no live worker does s1", hint: "did you mean s2?" };
  const since = "2026-11-28T11:48:00Z";
  const steps = [
    step(1, { waits_for: { ...waits, since } }),
    step(2, { waits_for: { ...waits, since }, items: { total: 5, done: 1 } }),
    step(3, { waits_for: { ...waits, since: "2026-11-28T11:59:59Z" } }),
  ];
  const sentences = describeStatus(workflow("RUNNING", steps), now);
  assert.deepEqual(texts(sentences), [
    "Step 1, s1, waits for a worker: no live worker does s1, for 12 min (did you mean s2?)",
    "Step 2, s2, has done 1 of 5 items, and waits for a worker: no live worker does s1, for 12 min " +
      "(did you mean s2?)",
  ]);
  assert.equal(sentences[0].tone, "terminating");
});

test("the number of sentences is limited", () => {
  const steps = Array.from({ length: 10 }, (_, at) => step(at, { waits_for: { event: "e", until: null } }));
  const sentences = describeStatus(workflow("RUNNING", steps), now);
  assert.equal(sentences.length, 5);
  assert.equal(sentences[4].text, "and 6 more steps");
});

test("words that turn the direction of writing do so within themselves", () => {
  assert.equal(isolateBidi("plain"), "plain");
  assert.equal(isolateBidi("مرحبا"), "مرحبا"); // letters have a direction of their own, and end by themselves
  assert.equal(isolateBidi("a\u202eb"), "\u2068a\u202eb\u2069");
  assert.equal(isolateBidi("a\u2069\u202eb"), "\u2068a\u202eb\u2069"); // nor can they end what holds them in
  const text = describeStatus(
    workflow("FAILED", [step(1, { state: "FAILED", ended: "x", name: "n\u202e", reason: "r\u2069\u202e" })]),
    now,
  )[0].text;
  assert.equal(text, "Step 1, \u2068n\u202e\u2069, failed: \u2068r\u202e\u2069.");
});

test("a paused workflow says so before anything else", () => {
  const paused = { scope: "flow", name: "f", since: "2026-11-28T11:00:00Z", deadlines: "stop" };
  const [first, ...others] = texts(
    describeStatus(workflow("RUNNING", [step(1, { reason: "broke" })], { paused }), now),
  );
  assert.match(first, /^The flow .*f.* is paused since .*, deadlines stand still: what runs may end/);
  assert.equal(others.length, 1);
});
