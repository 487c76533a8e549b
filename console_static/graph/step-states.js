/**
 * The states of nodes, groups and edges, derived from the states of steps. Pure.
 */

import { formatElapsed, formatClock } from "../format/times.js";

const STATES = ["PENDING", "RUNNING", "DONE", "SKIPPED", "FAILED", "STOPPED"];

/**
 * @typedef {object} StepIndex the steps of a workflow, indexed
 * @property {(index: number) => any} step the step of an index; a pending one if there is none
 * @property {(first: number, last: number) => Object<string, number>} count steps by state, and `total`
 */

/**
 * Index steps, so that counts of any range take constant time.
 * @param {object[]} steps with index and state, ascending; those that are missing count as pending,
 *   those of items not at all
 * @param {number} length of the flow
 * @returns {StepIndex}
 */
export function indexSteps(steps, length) {
  const byIndex = new Array(length);
  for (const step of steps) byIndex[step.index] = step;
  const sums = Object.fromEntries(STATES.map((state) => [state, new Int32Array(length + 1)]));
  for (let at = 0; at < length; at += 1) {
    const state = byIndex[at]?.of_items ? null : (byIndex[at]?.state ?? "PENDING");
    for (const each of STATES) sums[each][at + 1] = sums[each][at] + (each === state ? 1 : 0);
  }
  return {
    step: (index) => byIndex[index] ?? { index, state: "PENDING" },
    count(first, last) {
      const counts = { total: 0 };
      for (const state of STATES) {
        counts[state] = sums[state][last + 1] - sums[state][first];
        counts.total += counts[state];
      }
      return counts;
    },
  };
}

/**
 * Derive the state of a subflow from its own and its inner steps.
 * @param {StepIndex} stepIndex
 * @param {number} index of the subflow
 * @param {number} end the index of its end
 * @returns {string}
 */
function deriveSubflowState(stepIndex, index, end) {
  const own = stepIndex.step(index).state;
  if (["SKIPPED", "FAILED", "RUNNING", "STOPPED"].includes(own)) return own;
  const counts = stepIndex.count(index + 1, end - 1);
  if (counts.FAILED) return "FAILED";
  if (counts.RUNNING) return "RUNNING";
  if (counts.STOPPED) return "STOPPED";
  if (own === "PENDING") return "PENDING";
  return stepIndex.step(end).state === "PENDING"
    ? end > index + 1 && !isUntouched(counts)
      ? "RUNNING"
      : own
    : "DONE";
}

const isUntouched = (counts) => counts.PENDING === counts.total;

/**
 * Derive the states of nodes and groups, by id. Everything in a skipped subflow is skipped. Steps in an
 * iterated subflow have a state for each item, and so none here: null.
 * @param {import("./graph-model.js").GraphToDraw} graph
 * @param {StepIndex} stepIndex
 * @returns {{nodes: Map<number, string|null>, groups: Map<number, string|null>}}
 */
export function deriveStates(graph, stepIndex) {
  const inside = new Map();
  const groups = new Map();
  const within = (scope, state) => (inside.has(scope) ? inside.get(scope) : state);
  for (const { id, end, scope, iterates } of graph.groups) {
    const state = within(scope, deriveSubflowState(stepIndex, id, end));
    groups.set(id, state);
    if (state === "SKIPPED" || state === null) inside.set(id, state);
    else if (iterates) inside.set(id, null);
  }
  const own = (node) =>
    node.kind === "folded" ? deriveSubflowState(stepIndex, node.id, node.end) : stepIndex.step(node.id).state;
  const stateOf = (node) => {
    const isDoor = groups.has(node.id) || node.kind === "subflow-end";
    return isDoor ? own(node) : within(node.scope, own(node));
  };
  return { nodes: new Map(graph.nodes.map((node) => [node.id, stateOf(node)])), groups };
}

/**
 * Return the step of a node. The step of a folded subflow is its first, with the end time of its last.
 * @param {StepIndex} stepIndex
 * @param {import("./graph-model.js").Node} node
 * @param {string} state
 */
export function findNodeStep(stepIndex, node, state) {
  const step = stepIndex.step(node.id);
  if (node.kind !== "folded" || step.items || step.state !== "DONE") return step;
  return { ...step, ended: state === "DONE" ? stepIndex.step(node.end).ended : null };
}

/**
 * Format how many items of an iterated subflow are done, or how many inner steps of another are done or
 * skipped, and how many failed. Empty if there are none.
 * @param {StepIndex} stepIndex
 * @param {number} index
 * @param {number} end
 */
export function formatSubflowCounts(stepIndex, index, end) {
  const { items } = stepIndex.step(index);
  if (items) return formatItemCounts(items);
  if (end <= index + 1) return "";
  const counts = stepIndex.count(index + 1, end - 1);
  if (!counts.total) return "";
  const failed = counts.FAILED ? `, ${counts.FAILED} failed` : "";
  return `${counts.DONE + counts.SKIPPED}/${counts.total}${failed}`;
}

/** Format how many items are done and failed: `37/100`, `37/100, 1 failed`. */
export function formatItemCounts(items) {
  return `${items.done}/${items.total}${items.failed ? `, ${items.failed} failed` : ""}`;
}

/**
 * Return whether the workflow has passed an edge: its source has ended and its target has started.
 * @param {StepIndex} stepIndex
 * @param {{from: number, to: number, back: boolean}} edge
 * @param {Map<number, string>} states by node
 */
export function isTraversed(stepIndex, { from, to, back }, states) {
  const [source, target] = [stepIndex.step(from), stepIndex.step(to)];
  const hasEnded =
    (states.get(from) === "DONE" || states.get(from) === "SKIPPED") && source.state !== "PENDING";
  return hasEnded && states.has(to) && target.state !== "PENDING" && (!back || target.attempt > 1);
}

/**
 * Format the duration and times of a node.
 * @param {object} step
 * @param {string} state
 * @param {number} now in milliseconds
 * @returns {{took: string, times: string[]}} `times`: from long to short; use the first that fits
 */
export function formatNodeTexts(step, state, now) {
  if (!step.started || state === "PENDING") return { took: "", times: [] };
  if (state === "SKIPPED")
    return { took: "", times: [dropYear(formatClock(step.ended ?? step.started, now))] };
  const took = state === "RUNNING" || step.ended ? formatElapsed(step.started, step.ended, now) : "";
  return { took, times: formatTimes(step, state, now) };
}

function formatTimes(step, state, now) {
  const start = dropYear(formatClock(step.started, now));
  if (!step.ended)
    return state === "RUNNING" ? [...formatWait(step), `since ${start}`, start] : [`from ${start}`, start];
  const end = formatClock(step.ended, Date.parse(step.started));
  return [`${start} – ${end}`, start];
}

/** Format what a step waits for. */
function formatWait({ waits_for: waits }) {
  if (!waits) return [];
  if (waits.worker) return ["no live worker", "no worker"];
  const until = waits.until ? `until ${dropYear(formatClock(waits.until))}` : "";
  if (waits.event !== undefined) return [`event ${waits.event}`, "event …"];
  return waits.latch === undefined ? [until].filter(Boolean) : [`latch ${waits.latch}`, "latch …"];
}

/** Remove the year, to save space. */
const dropYear = (text) => text.replace(/^\d{4}-/, "");
