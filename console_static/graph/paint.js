/**
 * Paints a graph from far away onto a canvas: filled boxes in the strong colours of their states. What
 * matters most is painted last and never too small to see.
 */

/** The order of painting. `null`: without a state. */
const ORDER = [null, "PENDING", "SKIPPED", "DONE", "STOPPED", "RUNNING", "FAILED"];

/** The least width and height of a node in pixels, by state, on the whole picture and on the small map. */
export const LEAST = {
  picture: { FAILED: 9, RUNNING: 7, STOPPED: 6, other: 1.5 },
  map: { FAILED: 4, RUNNING: 3, STOPPED: 3, other: 1 },
};
/** From this size on, the box of a failed step has a cross; from this height on, it has a title instead. */
const CROSS_FROM = 7;
const CROSS_TO = 22;
/** Titles are painted from this zoom on, in this size of letters at full size, in nodes of this width. */
const TITLE = { zoom: 0.4, size: 13, width: 40, inset: 12 };
/** The boxes of subflows that are lower than this, in pixels, are left out. */
const LEAST_FRAME = 8;
const LEAST_RING = 9;

/**
 * @typedef {import("./culling.js").Rectangle} Rectangle
 *
 * @typedef {object} Painting
 * @property {{state: string|null, nodes: (Rectangle & {title: string})[]}[]} layers in the order of painting
 * @property {Rectangle[]} frames the boxes of open subflows
 * @property {any} edges a Path2D of the edges that the workflow has not passed, null without edges
 * @property {any} passed a Path2D of those that it has
 *
 * @typedef {object} Tones colours for a canvas
 * @property {Object<string, string>} states by state
 * @property {string} line of edges and frames
 * @property {string} passed of edges that the workflow has passed
 * @property {string} ground behind the graph
 * @property {string} accent of rings around nodes
 * @property {string} text on what is neither done nor running nor failed
 * @property {string} font the family of the letters
 */

/**
 * Group nodes by their state, in the order of painting.
 * @param {(Rectangle & {id: number, title: string})[]} nodes
 * @param {Map<number, string|null>} states by id
 */
export function sortForPainting(nodes, states) {
  const byState = new Map(ORDER.map((state) => [state, []]));
  for (const node of nodes) (byState.get(states.get(node.id) ?? null) ?? byState.get(null)).push(node);
  return [...byState].map(([state, each]) => ({ state, nodes: each })).filter((layer) => layer.nodes.length);
}

/**
 * Paint a graph.
 * @param {any} context of a canvas whose units are CSS pixels
 * @param {Painting} painting
 * @param {object} options
 * @param {{x: number, y: number, k: number}} options.view
 * @param {{width: number, height: number}} options.pane what of it lies outside is left out
 * @param {Tones} options.tones
 * @param {Object<string, number>} options.least the least sizes of nodes
 * @param {Rectangle[]} [options.ringed] nodes with a ring around them
 */
export function paintGraph(context, painting, { view, pane, tones, least, ringed = [] }) {
  context.clearRect(0, 0, pane.width, pane.height);
  context.strokeStyle = tones.line;
  for (const frame of painting.frames) paintFrame(context, toPane(frame, view, 0), pane);
  paintEdges(context, painting.edges, view, tones.line);
  paintEdges(context, painting.passed, view, tones.passed);
  for (const { state, nodes } of painting.layers) {
    const size = least[state] ?? least.other;
    for (const node of nodes) paintNode(context, toPane(node, view, size), { state, pane, tones });
    if (view.k >= TITLE.zoom) paintTitles(context, nodes, { state, view, pane, tones });
  }
  context.strokeStyle = tones.accent;
  context.lineWidth = 3;
  for (const node of ringed) paintRing(context, toPane(node, view, LEAST_RING));
}

/** Return the place of a rectangle in the pane, grown around its middle to the least size. */
function toPane(rectangle, { x, y, k }, size) {
  const [width, height] = [Math.max(size, rectangle.width * k), Math.max(size, rectangle.height * k)];
  return {
    x: (rectangle.x + rectangle.width / 2) * k + x - width / 2,
    y: (rectangle.y + rectangle.height / 2) * k + y - height / 2,
    width,
    height,
  };
}

const isOutside = ({ x, y, width, height }, pane) =>
  x > pane.width || y > pane.height || x + width < 0 || y + height < 0;

function paintFrame(context, place, pane) {
  if (place.height < LEAST_FRAME || isOutside(place, pane)) return;
  context.lineWidth = 1;
  context.strokeRect(place.x, place.y, place.width, place.height);
}

function paintEdges(context, path, { x, y, k }, colour) {
  if (!path) return;
  context.save();
  context.translate(x, y);
  context.scale(k, k);
  context.strokeStyle = colour;
  context.lineWidth = 1 / k;
  context.stroke(path);
  context.restore();
}

function paintNode(context, place, { state, pane, tones }) {
  if (isOutside(place, pane)) return;
  const { x, y, width, height } = place;
  if (state === "FAILED" || state === "RUNNING") {
    context.fillStyle = tones.ground; // a rim, that it stands out from its neighbours
    context.fillRect(x - 1, y - 1, width + 2, height + 2);
  }
  context.fillStyle = state === null ? tones.line : tones.states[state];
  context.fillRect(x, y, width, height);
  const hasCross = state === "FAILED" && Math.min(width, height) >= CROSS_FROM && height < CROSS_TO;
  if (hasCross) paintCross(context, place, tones.ground);
}

function paintTitles(context, nodes, { state, view, pane, tones }) {
  const isStrong = state !== null && tones.states[state] !== tones.line;
  context.fillStyle = isStrong ? tones.ground : tones.text;
  context.font = `600 ${TITLE.size * view.k}px ${tones.font}`;
  context.textBaseline = "middle";
  for (const node of nodes) {
    const place = toPane(node, view, 0);
    if (node.width < TITLE.width || isOutside(place, pane)) continue;
    const [left, width] = [place.x + TITLE.inset * view.k, place.width - 2 * TITLE.inset * view.k];
    context.fillText(node.title, left, place.y + place.height / 2, width);
  }
}

function paintCross(context, { x, y, width, height }, colour) {
  const [middleX, middleY, arm] = [x + width / 2, y + height / 2, Math.min(width, height) * 0.28];
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1.25, arm * 0.4);
  context.beginPath();
  context.moveTo(middleX - arm, middleY - arm);
  context.lineTo(middleX + arm, middleY + arm);
  context.moveTo(middleX + arm, middleY - arm);
  context.lineTo(middleX - arm, middleY + arm);
  context.stroke();
}

function paintRing(context, { x, y, width, height }) {
  context.strokeRect(x - 5, y - 5, width + 10, height + 10);
}
