// What the search of a graph finds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf } from "./flows.mjs";

const base = process.env.LFR_CONSOLE;
const { findFailedSteps, findPlaceAfter, findSteps } = await import(`${base}/graph/find-steps.js`);
const { indexSteps } = await import(`${base}/graph/step-states.js`);

// 0 start, 1 pay, 2 subflow, 3 Pack, 4 pay-back, 5 subflow-end, 6 step-4, 7 end
const flow = flowOf([["pay", { all: [["Pack"], ["pay-back"]] }, "step-4"]]);
const [P, D, F] = ["PENDING", "DONE", "FAILED"];
const stepIndex = indexSteps(
  [D, D, D, F, F, P, P, P].map((state, index) => ({ index, state })),
  8,
);

test("steps are found by name, by index and by state", () => {
  assert.deepEqual(findSteps(flow, "PAY"), [1, 4]);
  assert.deepEqual(findSteps(flow, " pack "), [3]);
  assert.deepEqual(findSteps(flow, "4"), [4, 6], "the index first, then names with this number");
  assert.deepEqual(findSteps(flow, "#2"), [2]);
  assert.deepEqual(findSteps(flow, "99"), []);
  assert.deepEqual(findSteps(flow, "failed", { stepIndex }), [3, 4]);
  assert.deepEqual(findSteps(flow, "done", { stepIndex }), [1, 2]);
  assert.deepEqual(findSteps(flow, "failed"), [], "a flow without a workflow has no states");
  assert.deepEqual(findSteps(flow, ""), []);
  assert.deepEqual(findSteps(flow, "pay", { first: 3, last: 5 }), [4], "the part of an item");
  assert.deepEqual(findSteps(flow, "subflow"), [], "a word of ours is no name");
});

test("failed steps come in the order of the flow, and around its end", () => {
  const failed = findFailedSteps(stepIndex, 0, 7);
  assert.deepEqual(failed, [3, 4]);
  assert.equal(findPlaceAfter(failed, null, 1), 0);
  assert.equal(findPlaceAfter(failed, 3, 1), 1);
  assert.equal(findPlaceAfter(failed, 4, 1), 0);
  assert.equal(findPlaceAfter(failed, 3, -1), 1);
  assert.equal(findPlaceAfter(failed, 1, 1), 0, "after a step that has not failed");
  assert.equal(findPlaceAfter(failed, 1, -1), 1);
  assert.equal(findPlaceAfter(failed, 7, 1), 0);
  assert.equal(findPlaceAfter(failed, 7, -1), 1);
});
