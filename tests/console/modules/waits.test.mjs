// Who waits for what: counts, texts, events to send; how fast tasks end.

import assert from "node:assert/strict";
import { test } from "node:test";

const { addSample, measureRate } = await import(`${process.env.LFR_CONSOLE}/state/task-rates.js`);
const { collectEvents, countKinds, describeWait } = await import(`${process.env.LFR_CONSOLE}/state/waits.js`);

const wait = (changes) => ({ kind: "event", event: null, latch: null, task: "", match: null, ...changes });

test("each different event is sent once", () => {
  const waits = [
    wait({ event: "paid", match: { order: 7 } }),
    wait({ event: "paid", match: { order: 8 } }),
    wait({ event: "paid", match: { order: 7 } }),
    wait({ event: "built", match: {} }),
  ];
  assert.deepEqual(collectEvents(waits), [
    { kind: "paid", match: { order: 7 } },
    { kind: "paid", match: { order: 8 } },
    { kind: "built", match: {} },
  ]);
});

test("deadlines do not count as waits", () => {
  const groups = [
    { kind: "event", name: "paid", count: 2 },
    { kind: "event", name: "built", count: 1 },
    { kind: "deadline", name: "task", count: 9 },
  ];
  assert.deepEqual(countKinds(groups), { "": 3, event: 3, deadline: 9 });
});

test("a wait says what it is for", () => {
  assert.equal(describeWait(wait({ event: "paid" })), "the event paid");
  assert.equal(describeWait(wait({ kind: "latch", latch: "disk" })), "the latch disk");
  assert.equal(describeWait(wait({ kind: "retry" })), "its next attempt");
  assert.equal(describeWait(wait({ kind: "deadline", task: "a" })), "the task a");
});

test("a rate is measured over the last minute", () => {
  const task = (ended) => [{ task: "a", ended, failed: 1 }];
  let samples = addSample([], task(10), 0);
  assert.equal(measureRate(samples, "a"), null);
  samples = addSample(samples, task(20), 30_000);
  assert.equal(measureRate(samples, "a"), 20);
  for (let at = 60_000; at <= 600_000; at += 30_000) samples = addSample(samples, task(20), at);
  assert.equal(measureRate(samples, "a"), 0);
  assert.equal(measureRate(samples, "unknown"), 0);
  assert.ok(samples.length <= 4);
});
