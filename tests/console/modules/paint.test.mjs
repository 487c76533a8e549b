// What a canvas shows of a graph from far away.

import assert from "node:assert/strict";
import { test } from "node:test";

const { LEAST, paintGraph, sortForPainting } = await import(`${process.env.LFR_CONSOLE}/graph/paint.js`);

const tones = {
  states: {
    PENDING: "line",
    SKIPPED: "line",
    DONE: "green",
    STOPPED: "violet",
    RUNNING: "blue",
    FAILED: "red",
  },
  line: "line",
  passed: "dark green",
  ground: "white",
  accent: "accent",
  text: "text",
  font: "sans-serif",
};

/** A context that records which boxes are filled in which colour. */
function recorder() {
  const [filled, written] = [[], []];
  return new Proxy(
    {
      filled,
      written,
      fillRect: (...box) => filled.push([context.fillStyle, ...box]),
      fillText: (text) => written.push([context.fillStyle, text]),
    },
    { get: (target, name) => target[name] ?? (() => {}) },
  );
}
let context;

const nodes = Array.from({ length: 1000 }, (_, id) => ({
  id,
  title: `s${id}`,
  x: id * 250,
  y: 0,
  width: 200,
  height: 60,
}));
const paint = (states, view, pane = { width: 1000, height: 400 }) => {
  context = recorder();
  const painting = { layers: sortForPainting(nodes, states), frames: [], edges: null, passed: null };
  paintGraph(context, painting, { view, pane, tones, least: LEAST.picture });
  return context.filled;
};

test("the failed one of a thousand is painted last, and large enough to see", () => {
  const states = new Map(nodes.map(({ id }) => [id, id === 500 ? "FAILED" : id < 500 ? "DONE" : "PENDING"]));
  const filled = paint(states, { x: 0, y: 200, k: 0.004 });
  const [colour, x, y, width, height] = filled.at(-1);
  assert.deepEqual([colour, width, height], ["red", LEAST.picture.FAILED, LEAST.picture.FAILED]);
  const [middleX, middleY] = [(500 * 250 + 100) * 0.004, 200 + 30 * 0.004];
  assert.ok(Math.abs(x + width / 2 - middleX) < 0.01 && Math.abs(y + height / 2 - middleY) < 0.01);
  assert.equal(filled.filter(([each]) => each === "green").length, 500);
});

test("what is out of sight is not painted; steps without a state have no colour of one", () => {
  const filled = paint(new Map(), { x: -250 * 100, y: 0, k: 1 });
  assert.ok(filled.length <= 6, `${filled.length} boxes`);
  assert.deepEqual(new Set(filled.map(([colour]) => colour)), new Set(["line"]));
});

test("titles are painted where they can be read, and stand out from their boxes", () => {
  const states = new Map(nodes.map(({ id }) => [id, id ? "PENDING" : "FAILED"]));
  paint(states, { x: 0, y: 0, k: 0.3 });
  assert.deepEqual(context.written, []);
  paint(states, { x: 0, y: 0, k: 0.5 });
  assert.ok(context.written.length < 12, "only those in sight");
  assert.deepEqual(context.written.at(0), ["text", "s1"]);
  assert.deepEqual(context.written.at(-1), ["white", "s0"]);
});
