/**
 * Two canvases: one shows the graph while too many nodes for the document are in sight, one is a small map.
 */

import { html, useLayoutEffect, useMemo, useRef } from "../vendor/preact.js";
import { LEAST, paintGraph, sortForPainting } from "./paint.js";

/** The map is no larger than this, in pixels. */
const MAP = { width: 168, height: 112 };

/**
 * Return what is to be painted of a graph with the states of its nodes.
 * @returns {import("./paint.js").Painting}
 */
export function usePainting(rectangles, states, arranged, passed) {
  return useMemo(() => {
    const paths = { edges: new Path2D(), passed: new Path2D() };
    for (const [place, path] of arranged.edges.entries())
      if (path) paths[passed[place] ? "passed" : "edges"].addPath(new Path2D(path));
    const frames = [...arranged.groups.values(), ...arranged.blocks];
    return { layers: sortForPainting(rectangles, states), frames, ...paths };
  }, [rectangles, states, arranged, passed]);
}

/** Paint a canvas in CSS pixels, sharp on every screen. */
function paintCanvas(canvas, { width, height }, paint) {
  const scale = devicePixelRatio || 1;
  const size = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== size[0]) [canvas.width] = size;
  if (canvas.height !== size[1]) [, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  paint(context);
}

/**
 * The graph in the present view. It is painted once a frame while the view moves.
 * @param {object} props
 * @param {import("./paint.js").Painting} props.painting
 * @param {any} props.actions of use-viewport.js
 * @param {import("./paint.js").Tones} props.tones
 * @param {import("./culling.js").Rectangle[]} props.ringed nodes with a ring around them
 */
export function Overview({ painting, actions, tones, ringed }) {
  const canvas = useRef(null);
  useLayoutEffect(() => {
    let frame = 0;
    let latest = null;
    const paint = () => {
      frame = 0;
      const { view, pane } = latest;
      paintCanvas(canvas.current, pane, (context) =>
        paintGraph(context, painting, { view, pane, tones, least: LEAST.picture, ringed }),
      );
    };
    const stop = actions.watch((view, pane) => {
      latest = { view, pane };
      frame ||= requestAnimationFrame(paint);
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [painting, tones, ringed]);
  return html`<canvas class="graph-overview" ref=${canvas} aria-hidden="true"></canvas>`;
}

/**
 * The whole graph, small, with a frame around what is in sight. Press or drag to move there.
 * @param {object} props
 * @param {import("./paint.js").Painting} props.painting
 * @param {{width: number, height: number}} props.graph its size
 * @param {any} props.actions of use-viewport.js
 * @param {import("./paint.js").Tones} props.tones
 */
export function Minimap({ painting, graph, actions, tones }) {
  const [canvas, frame] = [useRef(null), useRef(null)];
  const k = Math.min(MAP.width / graph.width, MAP.height / graph.height);
  const pane = { width: Math.max(24, graph.width * k), height: Math.max(24, graph.height * k) };
  const view = { k, x: (pane.width - graph.width * k) / 2, y: (pane.height - graph.height * k) / 2 };
  useLayoutEffect(() => {
    paintCanvas(canvas.current, pane, (context) =>
      paintGraph(context, painting, { view, pane, tones, least: LEAST.map }),
    );
  }, [painting, graph, tones]);
  useLayoutEffect(
    () =>
      actions.watch((shown, { width, height }) => {
        const scale = k / shown.k;
        const [left, top] = [view.x - shown.x * scale, view.y - shown.y * scale];
        Object.assign(frame.current.style, {
          left: `${left}px`,
          top: `${top}px`,
          width: `${width * scale}px`,
          height: `${height * scale}px`,
        });
      }),
    [graph],
  );
  const goTo = (event) => {
    if (event.type === "pointerdown") event.currentTarget.setPointerCapture(event.pointerId);
    if (!event.buttons) return;
    const { left, top } = canvas.current.getBoundingClientRect();
    actions.center({ x: (event.clientX - left - view.x) / k, y: (event.clientY - top - view.y) / k });
  };
  return html`<div
    class="graph-map"
    role="img"
    aria-label="Map of the whole graph"
    title="Press or drag to move there"
    style=${{ width: `${pane.width}px`, height: `${pane.height}px` }}
    onPointerDown=${goTo}
    onPointerMove=${goTo}
  >
    <canvas ref=${canvas} style=${{ width: `${pane.width}px`, height: `${pane.height}px` }}></canvas>
    <div class="graph-map-frame" ref=${frame}></div>
  </div>`;
}
