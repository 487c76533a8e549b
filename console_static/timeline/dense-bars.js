/**
 * Rows with very many bars, as a workflow has that loops: they are drawn as one path for each outcome, so
 * that a row takes no more of the document than it has pixels. Pure.
 */

/** Rows with more bars than this in sight are dense. */
export const MAX_BARS = 60;

/** The order of drawing: failures are on top. */
const ORDER = ["done", "skipped", "stopped", "delayed", "running", "failed"];

/**
 * Return a path for each outcome. Bars that touch on the screen become one.
 * @param {{segments: import("./history-rows.js").Segment[]}[]} bars in the order of their begin
 * @param {object} options
 * @param {(time: number) => number} options.x
 * @param {number} options.end the end of bars that are still open
 * @param {number} options.top
 * @param {number} options.height
 * @param {number} options.least the least width of a bar
 * @returns {{outcome: string, count: number, path: string}[]} `count`: attempts with this outcome
 */
export function drawDenseBars(bars, { x, end, top, height, least }) {
  const drawn = new Map(ORDER.map((outcome) => [outcome, { count: 0, stretches: [] }]));
  for (const { segments } of bars) {
    for (const segment of segments) {
      const entry = drawn.get(segment.outcome);
      entry.count += 1;
      const from = Math.floor(x(segment.begin));
      const to = Math.max(from + least, Math.ceil(x(segment.end ?? end)));
      const last = entry.stretches.at(-1);
      if (last && from <= last.to + 1) last.to = Math.max(last.to, to);
      else entry.stretches.push({ from, to });
    }
  }
  return [...drawn]
    .filter(([, { count }]) => count > 0)
    .map(([outcome, { count, stretches }]) => ({
      outcome,
      count,
      path: stretches.map(({ from, to }) => `M${from} ${top}H${to}v${height}H${from}z`).join(""),
    }));
}
