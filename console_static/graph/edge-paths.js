/**
 * The SVG paths of edges. Pure.
 *
 * Between columns an edge is a curve with horizontal ends; in a column it is a horizontal line. So it never
 * crosses a foreign node.
 */

const CORNER_RADIUS = 7;
/** Pixels between the end of an edge and its node, for the arrow head. */
const ARROW_GAP = 2;

/**
 * @typedef {[number, number]} Point
 * @typedef {[string, ...Point[]]} Move a command of an SVG path with its points
 *
 * @typedef {object} Route
 * @property {number} leave the end of the source's column
 * @property {number} enter the start of the target's column
 * @property {{left: number, right: number, y: number}[]} [lanes] of a forward edge
 * @property {number} [around] the y of the lane of an edge that leads back or to another row
 * @property {number} [beside] the x at which such an edge goes on to another lane
 * @property {number} [then] the y of that lane
 */

/**
 * Return the path of an edge from the end of its source to the start of its target.
 * @param {{x: number, y: number, width: number, height: number}} source
 * @param {{x: number, y: number, width: number, height: number}} target
 * @param {Route} route
 * @param {boolean} isVertical whether x and y are swapped
 * @returns {string} the attribute `d`
 */
export function drawEdge(source, target, route, isVertical) {
  const from = { x: source.x + source.width, y: source.y + source.height / 2 };
  const to = { x: target.x - ARROW_GAP, y: target.y + target.height / 2 };
  const moves = route.around === undefined ? routeForward(from, to, route) : routeAround(from, to, route);
  return moves
    .map(([letter, ...points]) => letter + points.map((point) => formatPoint(point, isVertical)).join(" "))
    .join("");
}

/** @type {(point: Point, isVertical: boolean) => string} */
const formatPoint = ([x, y], isVertical) =>
  isVertical ? `${round(y)},${round(x)}` : `${round(x)},${round(y)}`;
const round = (number) => Math.round(number * 10) / 10;

/** @returns {Move[]} */
function routeForward(from, to, { leave, enter, lanes = [] }) {
  /** @type {Move[]} */
  const moves = [["M", [from.x, from.y]]];
  let at = { x: Math.max(from.x, leave), y: from.y };
  addLine(moves, from.x, at);
  for (const lane of lanes) {
    addCurve(moves, at, { x: lane.left, y: lane.y });
    at = { x: lane.right, y: lane.y };
    addLine(moves, lane.left, at);
  }
  const end = { x: Math.min(to.x, enter), y: to.y };
  addCurve(moves, at, end);
  addLine(moves, end.x, to);
  return moves;
}

function addLine(moves, from, to) {
  if (Math.abs(to.x - from) > 0.5) moves.push(["L", [to.x, to.y]]);
}

function addCurve(moves, from, to) {
  if (Math.abs(from.y - to.y) < 0.5) {
    moves.push(["L", [to.x, to.y]]);
    return;
  }
  const middle = (from.x + to.x) / 2;
  moves.push(["C", [middle, from.y], [middle, to.y], [to.x, to.y]]);
}

/**
 * Route an edge around what stands in its way, with round corners.
 * @param {{x: number, y: number}} from
 * @param {{x: number, y: number}} to
 * @param {Route} route
 * @returns {Move[]}
 */
function routeAround(from, to, { leave, enter, around = 0, beside, then = around }) {
  /** @type {Point[]} */
  const turns =
    beside === undefined
      ? []
      : [
          [beside, around],
          [beside, then],
        ];
  /** @type {Point[]} */
  const corners = [[leave, from.y], [leave, around], ...turns, [enter, then], [enter, to.y]];
  /** @type {Point[]} */
  const stops = [[from.x, from.y], ...corners, [to.x, to.y]];
  /** @type {Move[]} */
  const moves = [["M", stops[0]]];
  for (let place = 1; place < stops.length - 1; place += 1) {
    const corner = stops[place];
    moves.push(
      ["L", moveTowards(corner, stops[place - 1])],
      ["Q", corner, moveTowards(corner, stops[place + 1])],
    );
  }
  moves.push(["L", stops.at(-1)]);
  return moves;
}

/**
 * Return the point a corner's radius away, or half way if that is nearer.
 * @param {Point} from
 * @param {Point} to
 * @returns {Point}
 */
function moveTowards([x, y], [otherX, otherY]) {
  const distance = Math.hypot(otherX - x, otherY - y);
  const share = distance ? Math.min(CORNER_RADIUS, distance / 2) / distance : 0;
  return [x + (otherX - x) * share, y + (otherY - y) * share];
}
