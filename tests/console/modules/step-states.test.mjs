// The states of nodes, groups and edges.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf } from "./flows.mjs";

const base = process.env.LFR_CONSOLE;
const { buildGraph } = await import(`${base}/graph/graph-model.js`);
const {
  isTraversed,
  formatItemCounts,
  indexSteps,
  findNodeStep,
  deriveStates,
  formatSubflowCounts,
  formatNodeTexts,
} = await import(`${base}/graph/step-states.js`);

// 0 start, 1 a, 2 subflow, 3 b, 4 c, 5 subflow-end, 6 d, 7 end
const flow = (extras = {}) => flowOf([["a", { ...extras, all: [["b"], ["c"]] }, "d"]]);
const buildIndex = (states, more = {}) =>
  indexSteps(
    states.map((state, index) => ({ index, state, ...more[index] })),
    8,
  );
const [P, R, D, S, F] = ["PENDING", "RUNNING", "DONE", "SKIPPED", "FAILED"];

function shown(extras, states, folded = false, more = {}) {
  const graph = buildGraph(flow(extras), { folded: new Set(folded ? [2] : []) });
  return { graph, steps: buildIndex(states, more), ...deriveStates(graph, buildIndex(states, more)) };
}

test("a folded subflow tells of all that is in it", () => {
  const cases = [
    [[D, R, P, P, P, P, P, P], P, "0/2"],
    [[D, D, D, R, R, P, P, P], R, "0/2"],
    [[D, D, D, D, P, P, P, P], R, "1/2"],
    [[D, D, D, D, F, P, P, P], F, "1/2, 1 failed"],
    [[D, D, D, D, R, P, P, P], R, "1/2"],
    [[D, D, D, D, S, D, R, P], D, "2/2"],
    [[D, D, S, P, P, D, R, P], S, "0/2"],
  ];
  for (const [states, state, figures] of cases) {
    const { nodes, steps } = shown({}, states, true);
    assert.equal(nodes.get(2), state, states.join());
    assert.equal(formatSubflowCounts(steps, 2, 5), figures);
    assert.equal(shown({}, states).groups.get(2), state, "and so does the box of an open one");
  }
});

test("inside of a skipped subflow all is skipped; inside of an iterated one steps have no state", () => {
  const skipped = shown({ guard: "$.a" }, [D, D, S, P, P, D, R, P]);
  assert.deepEqual(
    [2, 3, 4, 5, 6].map((id) => skipped.nodes.get(id)),
    [S, S, S, D, R],
  );
  const iterated = shown({ iterate: true }, [D, D, R, P, P, P, P, P]);
  assert.deepEqual(
    [2, 3, 4, 5, 6].map((id) => iterated.nodes.get(id)),
    [R, null, null, P, P],
  );
});

test("an edge is gone along once its source has ended and its target has begun", () => {
  const { graph, steps, nodes } = shown({}, [D, D, D, R, P, P, P, P]);
  const travelled = graph.edges
    .filter((edge) => isTraversed(steps, edge, nodes))
    .map(({ from, to }) => `${from}-${to}`);
  assert.deepEqual(travelled, ["0-1", "1-2", "2-3"]);
  const skipped = shown({ guard: "$.a" }, [D, D, S, P, P, D, R, P]);
  const gone = skipped.graph.edges
    .filter((edge) => isTraversed(skipped.steps, edge, skipped.nodes))
    .map(({ from, to }) => `${from}-${to}`);
  assert.deepEqual(gone, ["0-1", "1-2", "5-6"]);
  const back = { from: 6, to: 0, back: true };
  assert.equal(
    isTraversed(
      buildIndex([D, D, D, D, D, D, D, P], { 0: { attempt: 1 } }),
      back,
      new Map([
        [0, D],
        [6, D],
      ]),
    ),
    false,
  );
  assert.equal(
    isTraversed(
      buildIndex([D, D, D, D, D, D, D, P], { 0: { attempt: 2 } }),
      back,
      new Map([
        [0, D],
        [6, D],
      ]),
    ),
    true,
  );
});

test("counts of items", () => {
  assert.equal(formatItemCounts({ total: 100, done: 37, running: 4, failed: 0 }), "37/100");
  assert.equal(formatItemCounts({ total: 100, done: 37, running: 0, failed: 2 }), "37/100, 2 failed");
  const steps = buildIndex([D, D, R, P, P, P, P, P], { 2: { items: { total: 9, done: 3, failed: 0 } } });
  assert.equal(formatSubflowCounts(steps, 2, 5), "3/9");
});

test("a running step counts up, one that has ended does not; a wait says what for", () => {
  const [started, ended] = ["2026-11-28T10:00:00.000Z", "2026-11-28T10:00:04.000Z"];
  const now = Date.parse(started) + 65_000;
  assert.equal(formatNodeTexts({ started, ended: null }, R, now).took, "1 min 5 s");
  assert.match(formatNodeTexts({ started, ended: null }, R, now).times[0], /^since .*:00:00$/);
  assert.equal(formatNodeTexts({ started, ended }, D, now).took, "4.0 s");
  assert.match(formatNodeTexts({ started, ended }, D, now).times[0], /:00:00 – \d\d:00:04$/);
  assert.deepEqual(formatNodeTexts({ started: null }, P, now), { took: "", times: [] });
  assert.equal(
    formatNodeTexts(
      { started, ended: null, waits_for: { until: null, event: "approved", match: {} } },
      R,
      now,
    ).times[0],
    "event approved",
  );
  assert.match(
    formatNodeTexts({ started, ended: null, waits_for: { until: ended } }, R, now).times[0],
    /^until .*:00:04$/,
  );
  assert.equal(
    formatNodeTexts({ started, ended: null, waits_for: { until: null, latch: "l" } }, R, now).times[0],
    "latch l",
  );
});

test("a folded subflow takes from its beginning to its end", () => {
  const more = { 2: { started: "a", ended: "a" }, 5: { started: "z", ended: "z" } };
  const { graph, steps } = shown({}, [D, D, D, D, D, D, R, P], true, more);
  const node = graph.nodes.find(({ id }) => id === 2);
  assert.equal(findNodeStep(steps, node, D).ended, "z");
  assert.equal(findNodeStep(steps, node, R).ended, null);
});

test("steps that run in items count for nothing", () => {
  const inner = [2, 3].map((index) => ({ index, state: P, of_items: true }));
  const steps = indexSteps(
    [{ index: 0, state: D }, { index: 1, state: D }, ...inner, { index: 4, state: D }],
    5,
  );
  const { total, PENDING, DONE } = steps.count(0, 4);
  assert.deepEqual([total, PENDING, DONE], [3, 0, 3]);
});

test("missing steps are pending", () => {
  const steps = indexSteps([{ index: 3, state: D }], 8);
  assert.equal(steps.step(7).state, P);
  assert.deepEqual(steps.count(0, 7), {
    total: 8,
    PENDING: 7,
    RUNNING: 0,
    DONE: 1,
    SKIPPED: 0,
    FAILED: 0,
    STOPPED: 0,
  });
});
