// Runs of a flow: addresses, sentences, and which two are compared.

import assert from "node:assert/strict";
import { test } from "node:test";

const { compareAddress, describeCell, describeStatistics, findPartner, flowAddress } = await import(
  `${process.env.LFR_CONSOLE}/state/flow-runs.js`
);

test("addresses keep every letter of a name", () => {
  assert.equal(flowAddress("a b/c"), "flows/a%20b%2Fc");
  assert.equal(compareAddress("workflow:a", "workflow:b"), "compare?first=workflow%3Aa&second=workflow%3Ab");
});

test("a run is compared with the last before it that has finished", () => {
  const runs = ["RUNNING", "FAILED", "TERMINATED", "FINISHED", "FAILED"].map((state, n) => ({
    id: n,
    state,
  }));
  assert.equal(findPartner(runs, 0).id, 3);
  assert.equal(findPartner(runs, 3).id, 4);
  assert.equal(findPartner(runs, 4), null);
});

test("what cannot be said yet is left out", () => {
  const none = { shortest: null, lower: null, median: null, upper: null, longest: null };
  const counts = { runs: 1, finished: 0, failed: 0, terminated: 0, running: 1 };
  assert.equal(describeStatistics({ ...counts, success: null, seconds: none }), "1 run · 1 running");
  const seconds = { shortest: 1, lower: 1, median: 2, upper: 4, longest: 5 };
  const ended = { ...counts, runs: 3, running: 0, failed: 1, success: 2 / 3, seconds };
  assert.equal(
    describeStatistics(ended),
    "3 runs · 66 % finished · 1 failed · median 2.0 s · half of them 1.0 s to 4.0 s",
  );
});

test("a cell says step, state, duration and run", () => {
  const cell = { index: 1, state: "FAILED", seconds: 3 };
  assert.equal(describeCell("pay", cell, { id: "workflow:w" }), "pay: Failed, 3.0 s, w");
  assert.equal(describeCell("pay", { ...cell, seconds: null }, { id: "workflow:w" }), "pay: Failed, w");
});
