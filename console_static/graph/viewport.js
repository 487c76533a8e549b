/**
 * Views of a graph: `{x, y, k}` shows a point p of the graph at p * k + (x, y). Pure.
 */

const MIN_ZOOM = 0.02;
const MAX_ZOOM = 2.5;
/** Below this zoom, the texts of steps are unreadable. */
export const READABLE_ZOOM = 0.45;
/** Fitted graphs are no larger than this. */
export const MAX_FIT_ZOOM = 1.1;

/**
 * @typedef {{width: number, height: number}} Pane the size of the visible area
 */

/**
 * Return the largest view that shows the whole graph, centered.
 * @param {{width: number, height: number}} graph
 * @param {Pane} pane
 */
export function fitView(graph, pane) {
  const k = clamp(Math.min(pane.width / graph.width, pane.height / graph.height), MIN_ZOOM, MAX_FIT_ZOOM);
  return { k, x: (pane.width - graph.width * k) / 2, y: (pane.height - graph.height * k) / 2 };
}

/**
 * Return the first view: the whole graph if it is readable, else a readable view around a rectangle.
 * @param {{width: number, height: number}} graph
 * @param {Pane} pane
 * @param {{x: number, y: number, width: number, height: number}} rectangle
 */
export function initialView(graph, pane, rectangle) {
  const whole = fitView(graph, pane);
  if (whole.k >= READABLE_ZOOM) return whole;
  return clampToGraph(centerOn({ ...whole, k: 0.8 }, rectangle, pane), graph, pane);
}

/** Return the view with the rectangle in the middle, at the same zoom. */
export function centerOn(view, rectangle, pane) {
  const [x, y] = [rectangle.x + rectangle.width / 2, rectangle.y + rectangle.height / 2];
  return { k: view.k, x: pane.width / 2 - x * view.k, y: pane.height / 2 - y * view.k };
}

/** Move the view so that it shows as little empty space as possible. */
function clampToGraph(view, graph, pane) {
  const side = (at, size, room) =>
    size * view.k <= room ? (room - size * view.k) / 2 : clamp(at, room - size * view.k, 0);
  return {
    k: view.k,
    x: side(view.x, graph.width, pane.width),
    y: side(view.y, graph.height, pane.height),
  };
}

/** Return the view zoomed by a factor, within bounds; the graph stays in place under a point of the pane. */
export function zoomAt(view, factor, at) {
  const k = clamp(view.k * factor, MIN_ZOOM, MAX_ZOOM);
  return { k, x: at.x - ((at.x - view.x) * k) / view.k, y: at.y - ((at.y - view.y) * k) / view.k };
}

/** Return whether the whole rectangle is in the pane, with a margin. */
export function isVisible(view, rectangle, pane, margin = 12) {
  const [left, top] = [rectangle.x * view.k + view.x, rectangle.y * view.k + view.y];
  const [right, bottom] = [left + rectangle.width * view.k, top + rectangle.height * view.k];
  return left >= margin && top >= margin && right <= pane.width - margin && bottom <= pane.height - margin;
}

/** Return the view after two fingers have moved from two points of the pane, `before`, to two others. */
export function pinch(view, before, after) {
  const factor = distance(after) / Math.max(1, distance(before));
  const [from, to] = [midpoint(before), midpoint(after)];
  return zoomAt({ ...view, x: view.x + to.x - from.x, y: view.y + to.y - from.y }, factor, to);
}

const distance = ([one, other]) => Math.hypot(one.x - other.x, one.y - other.y);
const midpoint = ([one, other]) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
const clamp = (number, least, most) => Math.min(Math.max(number, least), most);
