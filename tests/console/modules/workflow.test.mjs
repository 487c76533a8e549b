// A workflow and its live updates.

import assert from "node:assert/strict";
import { test } from "node:test";

const {
  MAX_FACTS,
  appendFacts,
  findSuccessors,
  isLater,
  shortenReason,
  findStep,
  formatStepName,
  applyUpdate,
  needsReload,
} = await import(`${process.env.LFR_CONSOLE}/state/workflow.js`);

const at = (ms) => new Date(1_700_000_000_000 + ms).toISOString();
const fact = (ms, index, event, more = {}) => ({
  at: at(ms),
  index,
  item: null,
  event,
  attempt: 1,
  reason: null,
  ...more,
});
const step = (index, more = {}) => ({
  index,
  name: `s${index}`,
  base: `s${index}`,
  kind: "task",
  state: "PENDING",
  started: null,
  ended: null,
  attempt: 0,
  tries: 0,
  reason: null,
  ...more,
});
const workflow = (...steps) => ({
  id: "workflow:x",
  state: "RUNNING",
  moment: "5-0",
  counts: { done: 0 },
  actions: { terminate: null },
  steps,
});
const buildUpdate = (changes, more = {}) => ({
  id: "workflow:x",
  state: "RUNNING",
  counts: { done: 1 },
  changes,
  moment: "6-0",
  progress: {},
  ...more,
});

test("a step goes through its life", () => {
  let current = workflow(step(0), step(1));
  const life = [
    [fact(1, 1, "started"), { state: "RUNNING", started: at(1), ended: null, attempt: 1 }],
    [fact(2, 1, "retried", { reason: "no" }), { state: "RUNNING", started: at(1), reason: "no" }],
    [
      fact(3, 1, "started", { attempt: 2 }),
      { state: "RUNNING", started: at(3), attempt: 2, tries: 2, reason: null },
    ],
    [
      fact(4, 1, "failed", { attempt: 2, reason: "never" }),
      { state: "FAILED", ended: at(4), reason: "never" },
    ],
    [fact(5, 1, "started", { attempt: 3 }), { state: "RUNNING", started: at(5), ended: null, reason: null }],
    [
      fact(6, 1, "ended", { attempt: 3, simulated: true }),
      { state: "DONE", ended: at(6), tries: 3, simulated: true },
    ],
    [fact(7, 1, "started", { attempt: 4 }), { state: "RUNNING", attempt: 4, tries: 1, simulated: false }],
  ];
  for (const [change, expected] of life) {
    current = applyUpdate(current, buildUpdate([change]));
    for (const [key, value] of Object.entries(expected))
      assert.equal(current.steps[1][key], value, `${change.event}: ${key}`);
  }
  assert.equal(current.counts.done, 1);
  assert.equal(current.moment, "6-0");
  assert.deepEqual(current.actions, { terminate: null });
});

test("a skipped step started and ended at once; what it waited for is over", () => {
  const current = applyUpdate(
    workflow(step(0, { waits_for: { event: "e" }, state: "RUNNING" })),
    buildUpdate([fact(1, 0, "skipped")]),
  );
  assert.deepEqual(
    [current.steps[0].state, current.steps[0].started, current.steps[0].ended, current.steps[0].waits_for],
    ["SKIPPED", at(1), at(1), undefined],
  );
});

test("a worker that is missing is what its steps wait for, until there is one", () => {
  const running = { state: "RUNNING", started: at(1) };
  const missing = { message: "no live worker does it", hint: "start one", index: 1 };
  const before = workflow(
    step(0, { ...running, base: "a" }),
    step(1, { ...running, kind: "resource", base: "", sink: true }),
    step(2, { ...running, base: "wait:delay", waits_for: { until: at(9) } }),
    step(3, { ...running, base: "a", reason: "no", waits_for: { until: at(9) } }), // it is delayed
    step(4, { ...running, base: "b" }),
    step(5, { base: "a" }),
  );
  const tasks = ["a", "resource:store", "wait:delay"];
  const update = buildUpdate([], {
    missing_workers: Object.fromEntries(tasks.map((task) => [task, missing])),
  });
  const after = applyUpdate(before, update);
  assert.deepEqual(after.missing_workers, undefined);
  const details = { message: missing.message, hint: missing.hint, since: at(1) };
  assert.deepEqual(after.steps[0].waits_for, { until: null, worker: "a", ...details });
  assert.equal(after.steps[1].waits_for.worker, "resource:store");
  assert.deepEqual(after.steps[2].waits_for, { until: at(9), worker: "wait:delay", ...details });
  for (const index of [3, 4, 5]) assert.equal(after.steps[index], before.steps[index]);
  const again = applyUpdate(after, update);
  again.steps.forEach((each, index) => assert.equal(each, after.steps[index]));
  const over = applyUpdate(after, buildUpdate([], { missing_workers: {} }));
  assert.deepEqual(
    over.steps.map((each) => each.waits_for),
    before.steps.map((each) => each.waits_for),
  );
  assert.equal(applyUpdate(after, buildUpdate([])).steps[0], after.steps[0]);
});

test("only what has changed is a new object, and nothing is changed in place", () => {
  const before = workflow(step(0), step(1));
  const copy = structuredClone(before);
  const after = applyUpdate(before, buildUpdate([fact(1, 1, "started")]));
  assert.deepEqual(before, copy);
  assert.equal(after.steps[0], before.steps[0]);
  assert.notEqual(after.steps[1], before.steps[1]);
});

test("facts of items, of the workflow, and of steps that are not shown change no step", () => {
  const before = workflow(step(3), step(4));
  const after = applyUpdate(
    before,
    buildUpdate([fact(1, 3, "ended", { item: 0 }), fact(1, null, "finished"), fact(1, 9, "started")]),
  );
  assert.deepEqual(after.steps, before.steps);
});

test("progress is that of what runs", () => {
  const progress = { 3: { fraction: 0.5, text: "half" }, 4: { fraction: 1, text: "late" } };
  const after = applyUpdate(
    workflow(step(3, { state: "RUNNING" }), step(4, { state: "DONE" })),
    buildUpdate([], { progress }),
  );
  assert.deepEqual(
    after.steps.map((each) => each.progress),
    [progress[3], undefined],
  );
});

test("a reason of a megabyte is shortened", () => {
  const after = applyUpdate(
    workflow(step(0)),
    buildUpdate([fact(1, 0, "failed", { reason: "x".repeat(1e6) })]),
  );
  assert.equal(after.steps[0].reason.length, 301);
  assert.equal(shortenReason(null), null);
  assert.equal(shortenReason(undefined), null);
  assert.equal(shortenReason("short"), "short");
});

test("updates that need a reload", () => {
  const current = workflow(step(0, { base: "wait:event" }), step(1));
  assert.ok(!needsReload(buildUpdate([fact(1, 1, "started")]), current));
  assert.ok(needsReload(buildUpdate([fact(1, 0, "started")]), current));
  assert.ok(needsReload(buildUpdate([fact(1, 1, "ended", { item: 4 })]), current));
  assert.ok(needsReload(buildUpdate([], { state: "FAILED" }), current));
  assert.ok(!needsReload(buildUpdate([fact(1, null, "restarted"), fact(1, 77, "started")]), current));
});

test("moments are compared as numbers", () => {
  for (const [later, earlier] of [
    ["10-0", "9-0"],
    ["10-10", "10-9"],
    ["10-1", "10-0"],
    ["10", "9"],
    ["1", "1795831999924-0"],
  ]) {
    assert.ok(isLater(later, earlier));
    assert.ok(!isLater(earlier, later));
  }
  for (const moment of ["10-0", "10"]) assert.ok(!isLater(moment, moment));
});

test("each fact is kept once, in order, however answers and streams overlap", () => {
  const all = Array.from({ length: 40 }, (_, n) =>
    fact(Math.floor(n / 3), n % 7, n % 2 ? "ended" : "started", { attempt: Math.floor(n / 14) + 1 }),
  );
  for (let from = 0; from < 40; from += 1) {
    for (let to = from; to < 40; to += 3) {
      assert.deepEqual(appendFacts(all.slice(0, to), all.slice(from)), all, `${from} ${to}`);
    }
  }
  assert.equal(appendFacts(all, []), all);
  assert.equal(appendFacts(all, all.slice(-5)), all); // the same object: nothing is drawn anew
});

test("a workflow that loops for days keeps its newest facts", () => {
  const many = Array.from({ length: MAX_FACTS + 10 }, (_, n) => fact(n, 1, "started", { attempt: n }));
  const kept = appendFacts([], many);
  assert.equal(kept.length, MAX_FACTS);
  assert.equal(kept.at(-1), many.at(-1));
  assert.equal(appendFacts(kept, [fact(1e6, 1, "ended")]).length, MAX_FACTS);
});

test("a step of an item's workflow is found by its number in the whole flow", () => {
  const part = { steps: [step(4), step(5), step(6)] };
  assert.equal(findStep(part, 5), part.steps[1]);
  assert.equal(findStep(part, 1), undefined);
  assert.equal(findStep(part, 7), undefined);
});

test("steps are called as people call them", () => {
  assert.equal(formatStepName({ kind: "task", name: "a" }), "a");
  assert.equal(formatStepName({ kind: "resource", name: "" }, { uri: "x.json" }), "load <x.json>");
  assert.equal(
    formatStepName({ kind: "resource", name: "" }, { uri: "x.json", sink: true }),
    "store <x.json>",
  );
  assert.equal(formatStepName({ kind: "subflow", name: "" }), "{ … }");
  assert.equal(formatStepName({ kind: "subflow-end", name: "" }), "end of subflow");
  assert.equal(formatStepName({ kind: "other", name: "" }), "other");
});

test("what comes after a step", () => {
  const flow = {
    edges: [
      [0, 1],
      [1, 2],
      [1, 3],
      [2, 4],
      [3, 4],
      [4, 1],
    ],
  };
  assert.deepEqual(findSuccessors(flow, 1), [2, 3, 4]);
  assert.deepEqual(findSuccessors(flow, 4), [1, 2, 3]);
  assert.deepEqual(findSuccessors({ edges: [] }, 0), []);
  const chain = { edges: Array.from({ length: 1000 }, (_, n) => [n, n + 1]) };
  assert.equal(findSuccessors(chain, 0).length, 200);
});
