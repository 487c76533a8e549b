/**
 * What the states of steps say about what is drawn of a flow: nodes, boxes, edges. Pure.
 */

import { between, clock } from "./times.js";

const STATES = ["PENDING", "RUNNING", "DONE", "SKIPPED", "FAILED"];

/**
 * @typedef {object} Known the steps of a workflow, ready to be asked
 * @property {(index: number) => object} step that of an index; a pending one, if it is not among them
 * @property {(first: number, last: number) => Object<string, number>} count how many are in each state; `total`
 */

/**
 * @param {object[]} steps with index and state, ascending
 * @param {number} length of the flow
 * @returns {Known}
 */
export function knowSteps(steps, length) {
  const byIndex = new Array(length);
  for (const step of steps) byIndex[step.index] = step;
  const sums = Object.fromEntries(STATES.map((state) => [state, new Int32Array(length + 1)]));
  for (let at = 0; at < length; at += 1) {
    const state = byIndex[at]?.state ?? "PENDING";
    for (const each of STATES) sums[each][at + 1] = sums[each][at] + (each === state ? 1 : 0);
  }
  return {
    step: (index) => byIndex[index] ?? { index, state: "PENDING" },
    count(first, last) {
      const counts = { total: last - first + 1 };
      for (const state of STATES) counts[state] = sums[state][last + 1] - sums[state][first];
      return counts;
    },
  };
}

/**
 * The state of a subflow with all that is in it.
 * @param {Known} known
 * @param {number} index of the subflow
 * @param {number} end of its end
 * @returns {string}
 */
export function subflowState(known, index, end) {
  const own = known.step(index).state;
  if (own === "SKIPPED" || own === "FAILED" || own === "RUNNING") return own;
  const counts = known.count(index + 1, end - 1);
  if (counts.FAILED) return "FAILED";
  if (counts.RUNNING) return "RUNNING";
  if (own === "PENDING") return "PENDING";
  return known.step(end).state === "PENDING" ? (end > index + 1 && !isUntouched(counts) ? "RUNNING" : own) : "DONE";
}

const isUntouched = (counts) => counts.PENDING === counts.total;

/**
 * The state that a node is drawn in.
 * @param {Known} known
 * @param {import("./graph.js").Node} node
 */
export function nodeState(known, node) {
  return node.kind === "folded" ? subflowState(known, node.id, node.end) : known.step(node.id).state;
}

/**
 * How far a subflow is, in words: items if it is iterated, else its steps.
 * @param {Known} known
 * @param {number} index
 * @param {number} end
 */
export function subflowFigures(known, index, end) {
  const { items } = known.step(index);
  if (items) return itemFigures(items);
  if (end <= index + 1) return "";
  const counts = known.count(index + 1, end - 1);
  const failed = counts.FAILED ? `, ${counts.FAILED} failed` : "";
  return `${counts.DONE + counts.SKIPPED}/${counts.total}${failed}`;
}

/** How many of the items are done, and how many failed: `37/100`, `37/100, 1 failed`. */
export function itemFigures(items) {
  return `${items.done}/${items.total}${items.failed ? `, ${items.failed} failed` : ""}`;
}

/**
 * Whether this edge has been gone along: its source has ended, and its target has begun.
 * @param {Known} known
 * @param {{from: number, to: number, back: boolean}} edge
 * @param {Map<number, string>} states by node
 */
export function isTravelled(known, { from, to, back }, states) {
  const ended = states.get(from) === "DONE" || states.get(from) === "SKIPPED";
  if (back) return ended && (known.step(to).attempt ?? 0) > 1;
  return ended && states.get(to) !== "PENDING";
}

/**
 * The texts at a node beside its title.
 * @param {object} step
 * @param {string} state
 * @param {number} now in milliseconds
 * @returns {{took: string, times: string[]}} `times`: the best first; take the first that has room
 */
export function textsOf(step, state, now) {
  if (!step.started || state === "PENDING") return { took: "", times: [] };
  if (state === "SKIPPED") return { took: "", times: [day(clock(step.ended ?? step.started, now))] };
  const took = state === "RUNNING" || step.ended ? between(step.started, step.ended, now) : "";
  return { took, times: timesOf(step, now) };
}

function timesOf(step, now) {
  const start = day(clock(step.started, now));
  if (!step.ended) return [...waitOf(step), `since ${start}`, start];
  const end = clock(step.ended, Date.parse(step.started));
  return [`${start} – ${end}`, start];
}

/** What a step waits for, as the API tells it. */
function waitOf({ waits_for: waits }) {
  if (!waits) return [];
  const until = waits.until ? `until ${day(clock(waits.until))}` : "";
  if (waits.event !== undefined) return [`event ${waits.event}`, "event …"];
  return waits.latch === undefined ? [until].filter(Boolean) : [`latch ${waits.latch}`, "latch …"];
}

/** Without the year: there is little room. */
const day = (text) => text.replace(/^\d{4}-/, "");
