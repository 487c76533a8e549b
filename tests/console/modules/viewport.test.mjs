// The views of a graph, what of it is drawn in a view, and where keys lead.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf } from "./flows.mjs";

const base = process.env.LFR_CONSOLE;
const { centerOn, initialView, fitView, isVisible, pinch, zoomAt } = await import(
  `${base}/graph/viewport.js`
);
const { findNeighbor, findNext } = await import(`${base}/graph/walk.js`);
const { chooseDrawnArea, findAreaInSight, findAt, measurePath, overlaps } = await import(
  `${base}/graph/culling.js`
);
const { buildGraph } = await import(`${base}/graph/graph-model.js`);

const pane = { width: 1000, height: 600 };

test("all of a graph fits into the pane; a large one is shown where it can be read", () => {
  const view = fitView({ width: 2000, height: 300 }, pane);
  assert.ok(view.k === 0.5 && view.x === 0);
  assert.equal(view.y, (600 - 150) / 2);
  const place = { x: 30_000, y: 10, width: 160, height: 60 };
  const large = initialView({ width: 60_000, height: 100 }, pane, place);
  assert.ok(large.k > 0.45 && isVisible(large, place, pane));
  assert.equal(fitView({ width: 10, height: 10 }, pane).k <= 1.2, true);
});

test("what is under the pointer stays there when zooming, and between two fingers, too", () => {
  const view = { x: 10, y: 20, k: 0.7 };
  const at = { x: 300, y: 200 };
  const under = (one, point) =>
    [(point.x - one.x) / one.k, (point.y - one.y) / one.k].map((number) => number.toFixed(6));
  assert.deepEqual(under(zoomAt(view, 1.5, at), at), under(view, at));
  assert.ok(zoomAt(view, 1e9, at).k <= 2.5 && zoomAt(view, 1e-9, at).k > 0);
  const [before, after] = [
    [
      { x: 100, y: 100 },
      { x: 200, y: 100 },
    ],
    [
      { x: 50, y: 150 },
      { x: 250, y: 150 },
    ],
  ];
  const pinched = pinch(view, before, after);
  assert.equal(pinched.k, 1.4);
  assert.deepEqual(under(pinched, { x: 150, y: 150 }), under(view, { x: 150, y: 100 }));
  const middle = centerOn(view, { x: 0, y: 0, width: 100, height: 50 }, pane);
  assert.deepEqual([middle.k, middle.x + 50 * 0.7, middle.y + 25 * 0.7], [0.7, 500, 300]);
});

test("arrow keys aside go to the nearest in their direction", () => {
  const places = [
    [1, 0, 0],
    [2, 200, 0],
    [3, 200, 100],
    [4, 400, 90],
  ].map(([id, x, y]) => ({ id, x, y, width: 100, height: 50 }));
  assert.equal(findNeighbor(places, 1, "ArrowRight"), 2);
  assert.equal(findNeighbor(places, 2, "ArrowDown"), 3);
  assert.equal(findNeighbor(places, 3, "ArrowRight"), 4);
  assert.equal(findNeighbor(places, 1, "ArrowLeft"), undefined);
  assert.equal(findNeighbor(places, 9, "ArrowLeft"), undefined);
});

test("arrow keys with and against the flow follow its edges, also to the next row", () => {
  // 0 start, 1 a, 2 subflow, 3 b, 4 c, 5 subflow-end, 6 d, 7 end
  const flow = flowOf([["a", { all: [["b"], ["c"]] }, "d"]]);
  flow.edges.push([6, 1]);
  const places = [
    [0, 0, 100],
    [1, 100, 100],
    [2, 200, 100],
    [3, 300, 60],
    [4, 300, 150],
    [5, 400, 100],
    [6, 0, 300],
    [7, 100, 300],
  ].map(([id, x, y]) => ({ id, x, y, width: 20, height: 20 }));
  const graph = buildGraph(flow);
  const go = (from, key) => findNext(graph, places, from, `Arrow${key}`);
  assert.equal(go(2, "Right"), 3, "the straightest of several");
  assert.equal(go(3, "Down"), 4);
  assert.equal(go(4, "Right"), 5);
  assert.equal(go(5, "Right"), 6, "an edge that leads to the next row");
  assert.equal(go(6, "Left"), 5);
  assert.equal(go(6, "Right"), 7, "not the edge that leads back");
  assert.equal(go(7, "Right"), undefined);
  const down = buildGraph(flow, { orientation: "TB" });
  const turned = places.map(({ x, y, ...rest }) => ({ ...rest, x: y, y: x }));
  assert.equal(findNext(down, turned, 2, "ArrowDown"), 3);
  assert.equal(findNext(down, turned, 3, "ArrowRight"), 4);
});

test("the drawn area stays while it holds what is in sight, and is not much too large", () => {
  const view = { x: -1000, y: 0, k: 0.5 };
  const area = chooseDrawnArea(null, view, pane);
  assert.ok(overlaps(area, findAreaInSight(view, pane)));
  for (const [moved, isKept] of [
    [{ x: -1100, y: 50, k: 0.5 }, true],
    [{ x: -900, y: 0, k: 0.55 }, true],
    [{ x: -1400, y: 0, k: 0.5 }, false],
    [{ x: -1000, y: 0, k: 0.25 }, false],
    [{ x: -1500, y: 0, k: 1 }, false],
  ]) {
    const next = chooseDrawnArea(area, moved, pane);
    assert.equal(next === area, isKept, JSON.stringify(moved));
    const inSight = findAreaInSight(moved, pane);
    assert.ok(next.x <= inSight.x && next.x + next.width >= inSight.x + inSight.width);
    assert.ok(next.y <= inSight.y && next.y + next.height >= inSight.y + inSight.height);
    assert.ok(next.width * next.height <= inSight.width * inSight.height * 5);
  }
});

test("an edge lies where its points are; a click means the nearest node within reach", () => {
  assert.deepEqual(measurePath("M10,20L30,5C40,5 50,-60.5 70,80"), {
    x: 10,
    y: -60.5,
    width: 60,
    height: 140.5,
  });
  const nodes = [
    { id: 1, x: 0, y: 0, width: 10, height: 10 },
    { id: 2, x: 30, y: 0, width: 10, height: 10 },
  ];
  assert.equal(findAt(nodes, { x: 5, y: 5 }, 4).id, 1);
  assert.equal(findAt(nodes, { x: 27, y: 5 }, 4).id, 2);
  assert.equal(findAt(nodes, { x: 20, y: 5 }, 4), undefined);
});
