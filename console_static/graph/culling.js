/**
 * What of a graph lies in sight. Only that is in the document, so the document does not grow with the flow.
 * Pure.
 */

import { READABLE_ZOOM } from "./viewport.js";

/**
 * With more nodes than this in sight, a canvas shows them (overview.js): later if all their texts can be
 * read.
 */
const MAX_DRAWN_NODES = { readable: 300, other: 160 };
/** With more edges than this in sight, they are one path without arrow heads. */
export const MAX_DRAWN_EDGES = 500;

/** What is drawn beyond each side of the pane, as a share of its width or height. */
const MARGIN = 0.2;
/** The drawn area may be this much wider than a new one would be. */
const SLACK = 1.6;

/** @typedef {{x: number, y: number, width: number, height: number}} Rectangle */

/**
 * Return the part of the graph that a view shows.
 * @param {{x: number, y: number, k: number}} view
 * @param {{width: number, height: number}} pane
 * @returns {Rectangle}
 */
export function findAreaInSight({ x, y, k }, pane) {
  return { x: -x / k, y: -y / k, width: pane.width / k, height: pane.height / k };
}

/**
 * Return the area to draw: what is in sight, with a margin. It stays the same object while it contains what
 * is in sight and is not much too large, so that most moves of a view draw nothing anew.
 * @param {Rectangle|null} previous
 * @param {{x: number, y: number, k: number}} view
 * @param {{width: number, height: number}} pane
 * @returns {Rectangle}
 */
export function chooseDrawnArea(previous, view, pane) {
  const inSight = findAreaInSight(view, pane);
  const [dx, dy] = [inSight.width * MARGIN, inSight.height * MARGIN];
  const area = {
    x: inSight.x - dx,
    y: inSight.y - dy,
    width: inSight.width + 2 * dx,
    height: inSight.height + 2 * dy,
  };
  const isKept =
    previous &&
    contains(previous, inSight) &&
    previous.width * previous.height <= area.width * area.height * SLACK;
  return isKept ? previous : area;
}

/**
 * Return how many nodes may be in sight before a canvas shows them.
 * @param {{k: number}} view
 */
export const chooseMostNodes = ({ k }) => MAX_DRAWN_NODES[k >= READABLE_ZOOM ? "readable" : "other"];

function contains(outer, inner) {
  return (
    outer.x <= inner.x &&
    outer.y <= inner.y &&
    outer.x + outer.width >= inner.x + inner.width &&
    outer.y + outer.height >= inner.y + inner.height
  );
}

/**
 * Return whether two rectangles overlap or touch.
 * @param {Rectangle} one
 * @param {Rectangle} other
 */
export function overlaps(one, other) {
  return (
    one.x <= other.x + other.width &&
    other.x <= one.x + one.width &&
    one.y <= other.y + other.height &&
    other.y <= one.y + one.height
  );
}

/**
 * Return a rectangle that contains a path: that of its points, which contains all curves between them.
 * @param {string} path the attribute `d`, of absolute commands
 * @returns {Rectangle}
 */
export function measurePath(path) {
  const numbers = path.match(/-?[\d.]+/g) ?? [];
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = 0; at < numbers.length; at += 2) {
    const [x, y] = [Number(numbers[at]), Number(numbers[at + 1])];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/**
 * Return the rectangle at a point, or the nearest one within reach; undefined if there is none.
 * @param {(Rectangle & {id: number})[]} rectangles
 * @param {{x: number, y: number}} point
 * @param {number} reach
 * @returns {(Rectangle & {id: number})|undefined}
 */
export function findAt(rectangles, { x, y }, reach) {
  let nearest;
  let least = reach;
  for (const rectangle of rectangles) {
    const dx = Math.max(rectangle.x - x, 0, x - rectangle.x - rectangle.width);
    const dy = Math.max(rectangle.y - y, 0, y - rectangle.y - rectangle.height);
    const distance = Math.hypot(dx, dy);
    if (distance <= least) {
      nearest = rectangle;
      least = distance;
    }
  }
  return nearest;
}
