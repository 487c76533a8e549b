// What is drawn of a flow.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf, largeFlow, randomFlow, randomOf } from "./flows.mjs";

const { MAX_NODES, FOLD_ABOVE, foldByDefault, buildGraph } = await import(
  `${process.env.LFR_CONSOLE}/graph/graph-model.js`
);

/** The invariants of every graph. */
function checkGraph(flow, graph) {
  const ids = new Set(graph.nodes.map((node) => node.id));
  assert.equal(ids.size, graph.nodes.length, "a node is drawn twice");
  for (const step of flow.steps) {
    const around = flow.steps.filter(
      (other) =>
        other.kind === "subflow" &&
        graph.folded.has(other.index) &&
        other.index < step.index &&
        step.index <= other.end,
    );
    assert.equal(
      ids.has(step.index),
      around.length === 0,
      `step ${step.index}: drawn, or inside of a folded subflow`,
    );
    assert.equal(
      graph.home[step.index],
      around.length ? around[0].index : step.index,
      "the outermost folded one stands for it",
    );
  }
  const keys = graph.edges.map(({ from, to }) => `${from}-${to}`);
  assert.equal(new Set(keys).size, keys.length, "an edge is drawn twice");
  for (const edge of graph.edges) {
    assert.ok(ids.has(edge.from) && ids.has(edge.to), "an edge without an end");
    assert.equal(edge.back, edge.to <= edge.from);
  }
  const expectedEdges = new Set(
    flow.edges
      .map(([from, to]) => [graph.home[from], graph.home[to], from === to])
      .filter(([from, to, own]) => from !== to || own)
      .map(([from, to]) => `${from}-${to}`),
  );
  assert.deepEqual(new Set(keys), expectedEdges, "the edges of the flow, no less and no more");
  const boxes = new Map(graph.groups.map((group) => [group.id, group]));
  assert.deepEqual(
    [...boxes.keys()],
    flow.steps
      .filter((step) => step.kind === "subflow" && ids.has(step.index) && !graph.folded.has(step.index))
      .map((step) => step.index),
  );
  for (const node of graph.nodes) checkScope(flow, node.id, node.scope, boxes);
  for (const group of graph.groups)
    if (group.scope !== -1) assert.ok(group.scope < group.id && group.end < boxes.get(group.scope).end);
}

/** A node stands in the innermost open box around it. */
function checkScope(flow, id, scope, boxes) {
  const around = [...boxes.values()].filter((box) => box.id <= id && id <= box.end);
  assert.equal(scope, around.length ? Math.max(...around.map((box) => box.id)) : -1);
}

test("every step of a random flow is drawn once, or is inside of exactly one folded subflow", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const flow = randomFlow(seed);
    const random = randomOf(seed + 1000);
    const subflows = flow.steps.filter((step) => step.kind === "subflow").map((step) => step.index);
    checkGraph(flow, buildGraph(flow));
    checkGraph(flow, buildGraph(flow, { folded: new Set(subflows) }));
    checkGraph(
      flow,
      buildGraph(flow, { folded: new Set(subflows.filter(() => random() < 0.4)), orientation: "TB" }),
    );
  }
});

test("a subflow is a box, or one node that stands for what is in it", () => {
  const flow = flowOf([["a", { all: [["b"], ["c", "d"]] }, "e"]]);
  const open = buildGraph(flow);
  assert.deepEqual(
    open.groups.map(({ id, end, scope }) => [id, end, scope]),
    [[2, 6, -1]],
  );
  assert.deepEqual(
    open.nodes.filter((node) => node.scope === 2).map((node) => node.id),
    [2, 3, 4, 5, 6],
  );
  const folded = buildGraph(flow, { folded: new Set([2]) });
  assert.deepEqual(
    folded.nodes.map((node) => [node.id, node.kind]),
    [
      [0, "start"],
      [1, "task"],
      [2, "folded"],
      [7, "task"],
      [8, "end"],
    ],
  );
  const edges = folded.edges.map(({ from, to }) => `${from}-${to}`);
  assert.deepEqual(edges.sort(), ["0-1", "1-2", "2-7", "7-8"]);
});

test("up to 300 steps subflows come open, with more of them folded", () => {
  const ofSize = (count) =>
    flowOf([[{ all: [Array.from({ length: count - 4 }, (_, place) => `t${place}`)] }]]);
  assert.equal(ofSize(FOLD_ABOVE).steps.length, FOLD_ABOVE);
  assert.equal(foldByDefault(ofSize(FOLD_ABOVE)).size, 0);
  assert.equal(foldByDefault(ofSize(FOLD_ABOVE + 1)).size, 1);
  assert.equal(buildGraph(ofSize(FOLD_ABOVE + 1)).nodes.length, 3);
  assert.equal(FOLD_ABOVE, 300);
});

test("over 2,000 nodes it says how many there would be, and draws none", () => {
  assert.equal(MAX_NODES, 2000);
  assert.equal(buildGraph(largeFlow(2000)).tooLarge, 0);
  assert.equal(buildGraph(largeFlow(2000)).nodes.length, 2000);
  for (const flow of [largeFlow(2001), largeFlow(2001, true)]) {
    const graph = buildGraph(flow);
    assert.deepEqual([graph.tooLarge, graph.nodes.length, graph.edges.length], [2001, 0, 0]);
  }
  assert.equal(buildGraph(largeFlow(100_000)).tooLarge, 100_000);
  assert.equal(buildGraph(largeFlow(3000), { atMost: 5000 }).nodes.length, 3000);
});

test("a flow of one step, and one that leads back to its start", () => {
  const one = buildGraph(flowOf([["a"]]));
  assert.deepEqual(
    one.nodes.map((node) => node.kind),
    ["start", "task", "end"],
  );
  const loop = flowOf([["a", "b"]]);
  loop.edges.push([2, 0], [1, 1]);
  assert.deepEqual(
    buildGraph(loop)
      .edges.filter((edge) => edge.back)
      .map(({ from, to }) => [from, to]),
    [
      [2, 0],
      [1, 1],
    ],
  );
});

test("of an item's workflow only its part is drawn", () => {
  const flow = flowOf([["a", { iterate: true, all: [["b", "c"]] }, "d"]]);
  flow.steps[2] = { index: 2, kind: "start" };
  flow.steps[5] = { index: 5, kind: "end" };
  flow.edges = flow.edges.filter(([from]) => from >= 2 && from < 5);
  const graph = buildGraph(flow, { first: 2, last: 5 });
  assert.deepEqual(
    graph.nodes.map((node) => node.id),
    [2, 3, 4, 5],
  );
  assert.deepEqual(
    graph.edges.map(({ from, to }) => [from, to]),
    [
      [2, 3],
      [3, 4],
      [4, 5],
    ],
  );
});

test("titles, guards and signs are cut to their nodes", () => {
  const measure = (text) => [...text].length * 10;
  const long = "x".repeat(500);
  const { nodes } = buildGraph(flowOf([[{ name: long, guard: long, iterate: true, merge: true }, "short"]]), {
    measure,
  });
  const [first, second] = nodes.filter((node) => node.kind === "task");
  assert.equal(first.width, second.width);
  assert.ok(measure(`${first.signs} ${first.title}`) < first.width && first.title.endsWith("…"));
  assert.ok(measure(first.guard) < first.width && first.guard.startsWith("if x"));
  assert.equal(first.signs, ">*");
  assert.ok(first.height > second.height, "a guard takes its own room");
  assert.deepEqual([second.title, second.guard], ["short", ""]);
});
