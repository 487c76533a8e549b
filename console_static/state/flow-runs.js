// Runs of a flow: addresses, and what a cell of the grid says. No DOM.

import { STEP_STATES } from "../format/state-labels.js";
import { formatDuration } from "../format/times.js";
import { buildAddress, shortenId } from "./address.js";

/** Return the address of the page of a flow, which need not be stored. */
export const flowAddress = (name) => `flows/${encodeURIComponent(name)}`;

/** Return the address of the page that compares two workflows. */
export const compareAddress = (first, second) => buildAddress("compare", { first, second });

/** Format a number of seconds; a dash for null. */
export const formatSeconds = (seconds) => (seconds === null ? "–" : formatDuration(seconds * 1000));

/** Return the words for one step of one run, such as `pay: Failed, 3.1 s, order-1`. */
export function describeCell(title, cell, run) {
  const parts = [STEP_STATES[cell.state]?.label ?? cell.state];
  if (cell.seconds !== null) parts.push(formatSeconds(cell.seconds));
  return `${title}: ${[...parts, shortenId(run.id)].join(", ")}`;
}

/**
 * Return the run to compare a run with: the one before it that has finished, else the one before it, else
 * null.
 *
 * @param {any[]} runs the newest first
 * @param {number} position of the run in them
 */
export function findPartner(runs, position) {
  const earlier = runs.slice(position + 1);
  return earlier.find((run) => run.state === "FINISHED") ?? earlier[0] ?? null;
}

/** Return a sentence on how runs have ended and how long they took, from `statistics` of the API. */
export function describeStatistics({ runs, success, failed, running, seconds }) {
  const parts = [runs === 1 ? "1 run" : `${runs} runs`];
  if (success !== null) parts.push(`${Math.floor(success * 100)} % finished`);
  if (failed) parts.push(`${failed} failed`);
  if (running) parts.push(`${running} running`);
  if (seconds.median !== null) {
    parts.push(`median ${formatSeconds(seconds.median)}`);
    if (seconds.lower !== seconds.upper)
      parts.push(`half of them ${formatSeconds(seconds.lower)} to ${formatSeconds(seconds.upper)}`);
  }
  return parts.join(" · ");
}
