// The layout of nodes, boxes and edges.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf, largeFlow, randomFlow } from "./flows.mjs";

const base = process.env.LFR_CONSOLE;
const { buildGraph } = await import(`${base}/graph/graph-model.js`);
const { arrangeGraph } = await import(`${base}/graph/arrange.js`);
const { createDagreLayout } = await import(`${base}/graph/flat-layout.js`);
const { layoutLayers } = await import(`${base}/graph/flat-layout.js`);
const { WIDE_FAN } = await import(`${base}/graph/bundles.js`);
const { Superseded, createLayoutClient } = await import(`${base}/graph/layout-client.js`);
const dagre = (await import(`${base}/vendor/dagre.js`)).default;

const LAYOUTS = { dagre: createDagreLayout(dagre), plain: layoutLayers };

const inside = (one, other) =>
  one.x >= other.x - 0.01 &&
  one.y >= other.y - 0.01 &&
  one.x + one.width <= other.x + other.width + 0.01 &&
  one.y + one.height <= other.y + other.height + 0.01;
const apart = (one, other) =>
  one.x + one.width <= other.x + 0.01 ||
  other.x + other.width <= one.x + 0.01 ||
  one.y + one.height <= other.y + 0.01 ||
  other.y + other.height <= one.y + 0.01;

function checkPlaces(graph, arranged) {
  const whole = { x: 0, y: 0, width: arranged.width, height: arranged.height };
  const boxOf = (scope) => (scope === -1 ? whole : arranged.groups.get(scope));
  const places = graph.nodes.map((node) => ({
    ...node,
    ...arranged.nodes.get(node.id),
    isDoor: node.kind.startsWith("subflow"),
  }));
  for (const [at, node] of places.entries()) {
    assert.ok(Number.isFinite(node.x + node.y), `node ${node.id} has no place`);
    if (!node.isDoor) assert.ok(inside(node, boxOf(node.scope)), `node ${node.id} is outside of its box`);
    for (const other of places.slice(at + 1))
      assert.ok(apart(node, other), `nodes ${node.id} and ${other.id} overlap`);
  }
  for (const group of graph.groups) {
    const box = arranged.groups.get(group.id);
    assert.ok(inside(box, boxOf(group.scope)), `box ${group.id} is outside of its box`);
    const strangers = places.filter((node) => !node.isDoor && (node.id < group.id || node.id > group.end));
    for (const node of strangers) assert.ok(apart(node, box), `node ${node.id} is in the box ${group.id}`);
  }
  for (const path of arranged.edges)
    assert.match(path, /^(M(-?[\d.]+,-?[\d.]+)([LCQ](-?[\d.]+,-?[\d.]+ ?)+)+)?$/);
}

for (const [name, layout] of Object.entries(LAYOUTS)) {
  test(`${name}: nothing of a random flow overlaps, and all is in its box`, () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const graph = buildGraph(randomFlow(seed), { orientation: seed % 2 ? "LR" : "TB" });
      checkPlaces(graph, arrangeGraph(graph, layout));
    }
  });

  test(`${name}: edges begin and end at their nodes`, () => {
    const graph = buildGraph(flowOf([["a", { all: [["b"], ["c"]] }, "d"]]));
    const arranged = arrangeGraph(graph, layout);
    for (const [place, { from, to }] of graph.edges.entries()) {
      const numbers = arranged.edges[place].match(/-?[\d.]+/g).map(Number);
      const [source, target] = [arranged.nodes.get(from), arranged.nodes.get(to)];
      assert.ok(
        Math.abs(numbers[0] - (source.x + source.width)) < 0.1 &&
          Math.abs(numbers[1] - (source.y + source.height / 2)) < 0.1,
      );
      assert.ok(
        Math.abs(numbers.at(-2) - target.x) < 3 &&
          Math.abs(numbers.at(-1) - (target.y + target.height / 2)) < 0.1,
      );
    }
  });
}

test("what stands first in the text stands above, or to the left", () => {
  const flow = flowOf([["a", { all: [["b"], ["c"], ["d"]] }, "e"]]);
  const [right, down] = ["LR", "TB"].map(
    (orientation) => arrangeGraph(buildGraph(flow, { orientation }), LAYOUTS.dagre).nodes,
  );
  assert.ok(
    right.get(3).y < right.get(4).y && right.get(4).y < right.get(5).y && right.get(3).x === right.get(5).x,
  );
  assert.ok(
    down.get(3).x < down.get(4).x && down.get(4).x < down.get(5).x && down.get(3).y === down.get(5).y,
  );
});

test("a wide fan stands in a block, with one edge to it and one from it", () => {
  for (const orientation of ["LR", "TB"]) {
    const graph = buildGraph(largeFlow(502, true), { orientation });
    const arranged = arrangeGraph(graph, LAYOUTS.dagre);
    checkPlaces(graph, arranged);
    assert.equal(arranged.blocks.length, 1);
    assert.equal(arranged.edges.filter(Boolean).length, 2);
    assert.ok(arranged.width / arranged.height < 4 && arranged.height / arranged.width < 4);
  }
  const narrow = buildGraph(largeFlow(WIDE_FAN + 2, true));
  assert.equal(arrangeGraph(narrow, LAYOUTS.dagre).blocks.length, 0);
  assert.equal(arrangeGraph(buildGraph(largeFlow(WIDE_FAN + 3, true)), LAYOUTS.dagre).blocks.length, 1);
});

test("a chain that is too long for dagre, and one of the largest size, are laid out", () => {
  for (const count of [1900, 6000]) {
    const graph = buildGraph(largeFlow(count), { atMost: 6000 });
    const arranged = arrangeGraph(graph, LAYOUTS.dagre);
    assert.equal(arranged.nodes.size, count);
    assert.ok(arranged.width < 3 * arranged.height && arranged.height < arranged.width);
  }
});

/** Return the nodes of a chain by row: a new one begins where x goes back. */
function listRows(graph, arranged) {
  const rows = [];
  for (const node of graph.nodes) {
    const at = { id: node.id, ...arranged.nodes.get(node.id) };
    if (!rows.length || at.x < rows.at(-1).at(-1).x) rows.push([]);
    rows.at(-1).push(at);
  }
  return rows;
}

test("a long chain stands in rows, like a text in lines; a short one in a single row", () => {
  const graph = buildGraph(largeFlow(40));
  const arranged = arrangeGraph(graph, LAYOUTS.dagre);
  checkPlaces(graph, arranged);
  const rows = listRows(graph, arranged);
  assert.ok(rows.length > 2 && rows.length < 8, `${rows.length} rows`);
  for (const [place, row] of rows.entries()) {
    const bottom = Math.max(...row.map(({ y, height }) => y + height));
    for (const { y } of rows[place + 1] ?? []) assert.ok(y > bottom, "rows stand below each other");
    const next = rows[place + 1]?.[0];
    if (!next) continue;
    const edge = graph.edges.findIndex(({ from, to }) => from === row.at(-1).id && to === next.id);
    const numbers = arranged.edges[edge].match(/-?[\d.]+/g).map(Number);
    assert.ok(Math.abs(numbers.at(-2) - next.x) < 3, "an edge leads to the begin of the next row");
    const ys = numbers.filter((_, at) => at % 2 === 1);
    assert.ok(
      ys.some((y) => y > bottom && y < next.y),
      "through the gap between them",
    );
  }
  const tall = arrangeGraph(buildGraph(largeFlow(40), { orientation: "TB" }), LAYOUTS.dagre);
  assert.ok(tall.width < 3 * tall.height && tall.height < 3 * tall.width);
  const short = buildGraph(largeFlow(9));
  assert.equal(listRows(short, arrangeGraph(short, LAYOUTS.dagre)).length, 1);
});

test("a row ends only where a single edge leads on, and what leads back goes around the rows", () => {
  const fan = (place) => ({ all: [[`a${place}`], [`b${place}`, `c${place}`]] });
  const flow = flowOf([Array.from({ length: 14 }, (_, place) => fan(place))]);
  flow.edges.push([flow.steps.length - 2, 1]);
  for (const orientation of ["LR", "TB"]) {
    const graph = buildGraph(flow, { orientation });
    const arranged = arrangeGraph(graph, LAYOUTS.dagre);
    checkPlaces(graph, arranged);
    const boxes = [...arranged.groups.values()];
    const across = orientation === "LR" ? "y" : "x";
    assert.ok(new Set(boxes.map((box) => Math.round(box[across]))).size > 1, "more than one row");
    const back = arranged.edges[graph.edges.findIndex((edge) => edge.back)].match(/-?[\d.]+/g).map(Number);
    for (let at = 0; at + 3 < back.length; at += 2) {
      const [x, y] = [(back[at] + back[at + 2]) / 2, (back[at + 1] + back[at + 3]) / 2];
      const crossed = boxes.filter(
        (box) => x > box.x + 1 && x < box.x + box.width - 1 && y > box.y + 1 && y < box.y + box.height - 1,
      );
      assert.equal(crossed.length, 0, "it crosses no box");
    }
  }
  const wide = flowOf(
    Array.from({ length: 3 }, (_, row) => Array.from({ length: 30 }, (__, at) => `${row}-${at}`)),
  );
  const three = arrangeGraph(buildGraph(wide), LAYOUTS.dagre);
  assert.ok(three.width > 5000, "three chains side by side have no such place");
});

/** A worker that responds on command. */
class FakeWorker extends EventTarget {
  static all = [];
  posted = [];
  terminated = false;
  constructor() {
    super();
    FakeWorker.all.push(this);
  }
  postMessage(message) {
    this.posted.push(message);
  }
  terminate() {
    this.terminated = true;
  }
  answer(data) {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

test("a newer request cancels an older one; a failure rejects", async () => {
  const layouts = createLayoutClient(() => new FakeWorker());
  const [one, other] = [buildGraph(flowOf([["a"]])), buildGraph(flowOf([["b"]]))];
  const first = layouts.request(one);
  const second = layouts.request(other);
  await assert.rejects(first, Superseded);
  const [old, fresh] = FakeWorker.all;
  assert.ok(old.terminated && !fresh.terminated);
  fresh.answer({ number: fresh.posted[0].number, arranged: "places" });
  assert.equal(await second, "places");
  const third = layouts.request(one);
  assert.equal(FakeWorker.all.length, 2, "a free worker is reused");
  fresh.answer({ number: fresh.posted[1].number, problem: "no" });
  await assert.rejects(third, /no/);
  const fourth = layouts.request(one);
  layouts.close();
  await assert.rejects(fourth, Superseded);
  assert.ok(fresh.terminated);
});
