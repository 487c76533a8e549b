/**
 * The path of an edge, as SVG writes it. Pure.
 *
 * Between columns an edge is a curve that begins and ends level; in a column it is a level line. So it never runs
 * over a node that it does not belong to.
 */

const CORNER = 7;
/** How far before its node an edge ends: what the head of its arrow takes. */
const HEAD = 2;

/**
 * @param {{x: number, y: number, width: number, height: number}} source where the node stands
 * @param {{x: number, y: number, width: number, height: number}} target
 * @param {{leave: number, enter: number, lanes?: {left: number, right: number, y: number}[], around?: number}} way
 * @param {boolean} turned whether x and y change places
 * @returns {string} for the attribute `d`
 */
export function pathOf(source, target, way, turned) {
  const from = { x: source.x + source.width, y: source.y + source.height / 2 };
  const to = { x: target.x - HEAD, y: target.y + target.height / 2 };
  const moves = way.around === undefined ? forwards(from, to, way) : backwards(from, to, way);
  return moves.map(([letter, ...points]) => letter + points.map((point) => write(point, turned)).join(" ")).join("");
}

const write = ([x, y], turned) => (turned ? `${round(y)},${round(x)}` : `${round(x)},${round(y)}`);
const round = (number) => Math.round(number * 10) / 10;

function forwards(from, to, { leave, enter, lanes }) {
  const moves = [["M", [from.x, from.y]]];
  let at = { x: Math.max(from.x, leave), y: from.y };
  level(moves, from.x, at);
  for (const lane of lanes) {
    curve(moves, at, { x: lane.left, y: lane.y });
    at = { x: lane.right, y: lane.y };
    level(moves, lane.left, at);
  }
  const end = { x: Math.min(to.x, enter), y: to.y };
  curve(moves, at, end);
  level(moves, end.x, to);
  return moves;
}

function level(moves, from, to) {
  if (Math.abs(to.x - from) > 0.5) moves.push(["L", [to.x, to.y]]);
}

function curve(moves, from, to) {
  if (Math.abs(from.y - to.y) < 0.5) {
    moves.push(["L", [to.x, to.y]]);
    return;
  }
  const middle = (from.x + to.x) / 2;
  moves.push(["C", [middle, from.y], [middle, to.y], [to.x, to.y]]);
}

/** Around all that is in the same box: out, across, back, across, in; with round corners. */
function backwards(from, to, { leave, enter, around }) {
  const corners = [
    [leave, from.y],
    [leave, around],
    [enter, around],
    [enter, to.y],
  ];
  const stops = [[from.x, from.y], ...corners, [to.x, to.y]];
  const moves = [["M", stops[0]]];
  for (let place = 1; place < stops.length - 1; place += 1) {
    const corner = stops[place];
    moves.push(["L", towards(corner, stops[place - 1])], ["Q", corner, towards(corner, stops[place + 1])]);
  }
  moves.push(["L", stops.at(-1)]);
  return moves;
}

/** The point a corner's radius away from it, or half way if that is less. */
function towards([x, y], [otherX, otherY]) {
  const distance = Math.hypot(otherX - x, otherY - y);
  const share = distance ? Math.min(CORNER, distance / 2) / distance : 0;
  return [x + (otherX - x) * share, y + (otherY - y) * share];
}
