/**
 * The scale of the timeline. It cuts long idle stretches, so that the rest is readable. Pure. Times in
 * milliseconds, positions in pixels.
 */

const MAX_CUTS = 6;
const CUT_WIDTH = 64;
/** A stretch is cut if it is longer than all work together and than this share of the whole. */
const MIN_SHARE = 0.15;
const MIN_CUT_MS = 5000;
/** The share of the uncut time that stays visible at both ends of a cut. */
const MARGIN_SHARE = 0.04;

/**
 * @typedef {{from: number, to: number, isCut: boolean}} Piece
 */

/**
 * Split the time from `from` to `to` into visible and cut pieces, without gaps.
 * @param {import("./history-rows.js").History} history
 * @param {number} from
 * @param {number} to
 * @returns {Piece[]}
 */
export function splitTime(history, from, to) {
  const idle = findIdleStretches(history, from, to);
  const work = to - from - idle.reduce((sum, [begin, end]) => sum + end - begin, 0);
  const minimum = Math.max(MIN_CUT_MS, work, (to - from) * MIN_SHARE);
  const long = idle.filter(([begin, end]) => end - begin > minimum);
  const cuts = long
    .sort((placedPiece, other) => other[1] - other[0] - (placedPiece[1] - placedPiece[0]))
    .slice(0, MAX_CUTS);
  const total = cuts.reduce((sum, [begin, end]) => sum + end - begin, 0);
  const margin = Math.min(minimum / 3, Math.max(200, (to - from - total) * MARGIN_SHARE));
  const pieces = [];
  let at = from;
  for (const [begin, end] of cuts.sort((placedPiece, other) => placedPiece[0] - other[0])) {
    pieces.push(
      { from: at, to: begin + margin, isCut: false },
      { from: begin + margin, to: end - margin, isCut: true },
    );
    at = end - margin;
  }
  return [...pieces, { from: at, to, isCut: false }];
}

/** Return stretches without work, starts or ends. Waits may span them. */
function findIdleStretches(history, from, to) {
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
  return subtractStretches(
    [...points].sort((placedPiece, other) => placedPiece - other),
    mergeStretches(busy),
  );
}

function mergeStretches(stretches) {
  const all = [];
  for (const [begin, end] of stretches.sort((placedPiece, other) => placedPiece[0] - other[0])) {
    if (all.length && begin <= all.at(-1)[1]) all.at(-1)[1] = Math.max(all.at(-1)[1], end);
    else all.push([begin, end]);
  }
  return all;
}

/** Return the stretches between points that are not busy. Both lists ascend. */
function subtractStretches(points, busy) {
  const idle = [];
  let next = 0;
  for (let locate = 1; locate < points.length; locate += 1) {
    const [begin, end] = [points[locate - 1], points[locate]];
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
 * Map the pieces to positions: cut ones to a fixed width, the others in proportion to their time.
 * @param {Piece[]} pieces
 * @param {number} width
 * @returns {Scale}
 */
export function createScale(pieces, width) {
  const count = pieces.filter((piece) => piece.isCut).length;
  const cutWidth = count ? Math.min(CUT_WIDTH, (width * 0.5) / count) : 0;
  const shown = pieces.reduce((sum, piece) => sum + (piece.isCut ? 0 : piece.to - piece.from), 0);
  const perMs = (width - count * cutWidth) / Math.max(1, shown);
  let x = 0;
  const placed = pieces.map((piece) => {
    const pieceWidth = piece.isCut ? cutWidth : (piece.to - piece.from) * perMs;
    const placedPiece = { ...piece, x, width: pieceWidth };
    x += pieceWidth;
    return placedPiece;
  });
  const step = chooseStep(MAX_TICK_DISTANCE / perMs);
  return {
    width,
    x: (time) => locate(placed, time),
    time: (at) => findTime(placed, at),
    cuts: placed
      .filter((piece) => piece.isCut)
      .map((piece) => ({ x: piece.x, width: piece.width, ms: piece.to - piece.from })),
    ticks: placed.filter((piece) => !piece.isCut).flatMap((piece) => listTicks(piece, step, width)),
    step,
  };
}

function locate(placed, time) {
  const piece = placed.find((placedPiece) => time <= placedPiece.to) ?? placed.at(-1);
  const share = piece.to > piece.from ? (time - piece.from) / (piece.to - piece.from) : 0;
  return piece.x + Math.min(1, Math.max(0, share)) * piece.width;
}

function findTime(placed, x) {
  const piece = placed.find((placedPiece) => x <= placedPiece.x + placedPiece.width) ?? placed.at(-1);
  const share = piece.width ? (x - piece.x) / piece.width : 0;
  return piece.from + Math.min(1, Math.max(0, share)) * (piece.to - piece.from);
}

const MAX_TICK_DISTANCE = 96;
/** Half the width of a label in pixels, with a margin. */
const LABEL_ROOM = 34;
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];
const STEPS = [
  ...[10, 20, 50, 100, 200, 500].map((ms) => ms),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((count) => count * DAY),
];

/** Return the smallest step that is at least this long. */
function chooseStep(ms) {
  return STEPS.find((step) => step >= ms) ?? STEPS.at(-1);
}

/** Return ticks at round local times where their labels fit. */
function listTicks(piece, step, width) {
  const zone = new Date(piece.from).getTimezoneOffset() * MINUTE;
  const ticks = [];
  for (let time = Math.ceil((piece.from - zone) / step) * step + zone; time <= piece.to; time += step) {
    const x = piece.x + ((time - piece.from) / Math.max(1, piece.to - piece.from)) * piece.width;
    const isLast = piece.x + piece.width > width - 1;
    const hasRoom =
      x >= piece.x + (piece.x ? LABEL_ROOM / 2 : 0) && x <= piece.x + piece.width - (isLast ? 0 : LABEL_ROOM);
    if (hasRoom) ticks.push({ x, time });
  }
  return ticks;
}

/**
 * Format the label of a tick, with the date if its day differs from that of the previous tick.
 * @param {number} time
 * @param {number} step
 * @param {number|null} before the time of the previous tick
 * @returns {string}
 */
export function formatTick(time, step, before) {
  const at = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  const date = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  if (step >= DAY) return date;
  const seconds = step < MINUTE ? `:${two(at.getSeconds())}` : "";
  const parts =
    step < SECOND
      ? `.${String(at.getMilliseconds())
          .padStart(3, "0")
          .slice(0, step < 100 ? 2 : 1)}`
      : "";
  const text = `${two(at.getHours())}:${two(at.getMinutes())}${seconds}${parts}`;
  const isNewDay = before !== null && new Date(before).toDateString() !== at.toDateString();
  return isNewDay ? `${date} ${text}` : text;
}
