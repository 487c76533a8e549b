/**
 * The axis of a timeline: which stretches of time are drawn, and where. Long ones in which nothing works are cut, so
 * that the rest can be seen. Pure. Times in milliseconds, places in pixels.
 */

const MOST_CUTS = 6;
const CUT_WIDTH = 64;
/** A stretch is cut if it is longer than all work together, and than this share of the whole. */
const LEAST_SHARE = 0.15;
const LEAST_CUT_MS = 5000;
/** So much of a stretch that is cut is still drawn at both of its ends, as a share of all that is not cut. */
const KEPT = 0.04;

/**
 * @typedef {{from: number, to: number, isCut: boolean}} Piece
 */

/**
 * The pieces of the time from `from` to `to`, without gaps.
 * @param {import("./history-rows.js").History} history
 * @param {number} from
 * @param {number} to
 * @returns {Piece[]}
 */
export function piecesOf(history, from, to) {
  const idle = idleStretches(history, from, to);
  const work = to - from - idle.reduce((sum, [begin, end]) => sum + end - begin, 0);
  const least = Math.max(LEAST_CUT_MS, work, (to - from) * LEAST_SHARE);
  const long = idle.filter(([begin, end]) => end - begin > least);
  const cuts = long.sort((one, other) => other[1] - other[0] - (one[1] - one[0])).slice(0, MOST_CUTS);
  const total = cuts.reduce((sum, [begin, end]) => sum + end - begin, 0);
  const kept = Math.min(least / 3, Math.max(200, (to - from - total) * KEPT));
  const pieces = [];
  let at = from;
  for (const [begin, end] of cuts.sort((one, other) => one[0] - other[0])) {
    pieces.push({ from: at, to: begin + kept, isCut: false }, { from: begin + kept, to: end - kept, isCut: true });
    at = end - kept;
  }
  return [...pieces, { from: at, to, isCut: false }];
}

/** Where nothing works and nothing begins or ends: what waits may go on through it. */
function idleStretches(history, from, to) {
  const busy = [];
  const points = new Set([from, to]);
  for (const row of history.rows) {
    for (const bar of row.bars) {
      const end = Math.min(bar.end ?? to, to);
      const begin = Math.max(bar.begin, from);
      if (end < from || begin > to) continue;
      points.add(begin).add(end);
      if (!row.waits && end > begin) busy.push([begin, end]);
    }
  }
  for (const { at } of history.marks) if (at >= from && at <= to) points.add(at);
  return without([...points].sort((one, other) => one - other), joined(busy));
}

function joined(stretches) {
  const all = [];
  for (const [begin, end] of stretches.sort((one, other) => one[0] - other[0])) {
    if (all.length && begin <= all.at(-1)[1]) all.at(-1)[1] = Math.max(all.at(-1)[1], end);
    else all.push([begin, end]);
  }
  return all;
}

/** The stretches between points that are not within a busy one. Both ascend. */
function without(points, busy) {
  const idle = [];
  let next = 0;
  for (let place = 1; place < points.length; place += 1) {
    const [begin, end] = [points[place - 1], points[place]];
    while (next < busy.length && busy[next][1] <= begin) next += 1;
    if (next === busy.length || busy[next][0] >= end) idle.push([begin, end]);
  }
  return idle;
}

/**
 * @typedef {object} Scale
 * @property {number} width
 * @property {(time: number) => number} x
 * @property {(x: number) => number} time
 * @property {{x: number, width: number, ms: number}[]} cuts
 * @property {{x: number, time: number}[]} ticks
 * @property {number} step between ticks
 */

/**
 * @param {Piece[]} pieces
 * @param {number} width
 * @returns {Scale}
 */
export function makeScale(pieces, width) {
  const count = pieces.filter((piece) => piece.isCut).length;
  const cutWidth = count ? Math.min(CUT_WIDTH, (width * 0.5) / count) : 0;
  const shown = pieces.reduce((sum, piece) => sum + (piece.isCut ? 0 : piece.to - piece.from), 0);
  const perMs = (width - count * cutWidth) / Math.max(1, shown);
  let x = 0;
  const placed = pieces.map((piece) => {
    const wide = piece.isCut ? cutWidth : (piece.to - piece.from) * perMs;
    const one = { ...piece, x, width: wide };
    x += wide;
    return one;
  });
  const step = stepFor(MOST_TICKS_APART / perMs);
  return {
    width,
    x: (time) => place(placed, time, "from", "to", "x", "width"),
    time: (at) => timeAt(placed, at),
    cuts: placed.filter((piece) => piece.isCut).map((piece) => ({ x: piece.x, width: piece.width, ms: piece.to - piece.from })),
    ticks: placed.filter((piece) => !piece.isCut).flatMap((piece) => ticksIn(piece, step, width)),
    step,
  };
}

function place(placed, time) {
  const piece = placed.find((one) => time <= one.to) ?? placed.at(-1);
  const share = piece.to > piece.from ? (time - piece.from) / (piece.to - piece.from) : 0;
  return piece.x + Math.min(1, Math.max(0, share)) * piece.width;
}

function timeAt(placed, x) {
  const piece = placed.find((one) => x <= one.x + one.width) ?? placed.at(-1);
  const share = piece.width ? (x - piece.x) / piece.width : 0;
  return piece.from + Math.min(1, Math.max(0, share)) * (piece.to - piece.from);
}

const MOST_TICKS_APART = 96;
/** Pixels that half a label takes, and some more. */
const TICK_ROOM = 34;
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];
const STEPS = [
  ...[10, 20, 50, 100, 200, 500].map((ms) => ms),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((count) => count * DAY),
];

/** The least sensible step that is not less than this. */
function stepFor(ms) {
  return STEPS.find((step) => step >= ms) ?? STEPS.at(-1);
}

/** Ticks stand at round times of this computer's clock, and not where their labels have no room. */
function ticksIn(piece, step, width) {
  const zone = new Date(piece.from).getTimezoneOffset() * MINUTE;
  const ticks = [];
  for (let time = Math.ceil((piece.from - zone) / step) * step + zone; time <= piece.to; time += step) {
    const x = piece.x + ((time - piece.from) / Math.max(1, piece.to - piece.from)) * piece.width;
    const isLast = piece.x + piece.width > width - 1;
    const hasRoom = x >= piece.x + (piece.x ? TICK_ROOM / 2 : 0) && x <= piece.x + piece.width - (isLast ? 0 : TICK_ROOM);
    if (hasRoom) ticks.push({ x, time });
  }
  return ticks;
}

/**
 * What is written at a tick; with the date where it is another day than at the tick before.
 * @param {number} time
 * @param {number} step
 * @param {number|null} before the time of the tick before
 * @returns {string}
 */
export function tickLabel(time, step, before) {
  const at = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  const date = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  if (step >= DAY) return date;
  const seconds = step < MINUTE ? `:${two(at.getSeconds())}` : "";
  const parts = step < SECOND ? `.${String(at.getMilliseconds()).padStart(3, "0").slice(0, step < 100 ? 2 : 1)}` : "";
  const told = `${two(at.getHours())}:${two(at.getMinutes())}${seconds}${parts}`;
  const isNewDay = before !== null && new Date(before).toDateString() !== at.toDateString();
  return isNewDay ? `${date} ${told}` : told;
}
