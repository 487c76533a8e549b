/**
 * What the states of steps say about what is drawn of a flow: nodes, boxes, edges. Pure.
 */

import { between, clock } from "../format/times.js";

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
 * The states that nodes and boxes are drawn in, by id. Inside of a subflow that was skipped, all is skipped. Inside
 * of one that is done for each item, steps have as many states as there are items, and so none here: null.
 * @param {import("./graph-model.js").GraphToDraw} graph
 * @param {Known} known
 * @returns {{nodes: Map<number, string|null>, groups: Map<number, string|null>}}
 */
export function statesOf(graph, known) {
  const inside = new Map();
  const groups = new Map();
  const within = (scope, state) => (inside.has(scope) ? inside.get(scope) : state);
  for (const { id, end, scope, iterates } of graph.groups) {
    const state = within(scope, subflowState(known, id, end));
    groups.set(id, state);
    if (state === "SKIPPED" || state === null) inside.set(id, state);
    else if (iterates) inside.set(id, null);
  }
  const own = (node) => (node.kind === "folded" ? subflowState(known, node.id, node.end) : known.step(node.id).state);
  const stateOf = (node) => {
    const isDoor = groups.has(node.id) || node.kind === "subflow-end";
    return isDoor ? own(node) : within(node.scope, own(node));
  };
  return { nodes: new Map(graph.nodes.map((node) => [node.id, stateOf(node)])), groups };
}

/**
 * What there is to say of a node's step: of a folded subflow, that of its first step, which ends with its last.
 * @param {Known} known
 * @param {import("./graph-model.js").Node} node
 * @param {string} state
 */
export function nodeStep(known, node, state) {
  const step = known.step(node.id);
  if (node.kind !== "folded" || step.items || step.state !== "DONE") return step;
  return { ...step, ended: state === "DONE" ? known.step(node.end).ended : null };
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
  const [source, target] = [known.step(from), known.step(to)];
  const hasEnded = (states.get(from) === "DONE" || states.get(from) === "SKIPPED") && source.state !== "PENDING";
  return hasEnded && states.has(to) && target.state !== "PENDING" && (!back || target.attempt > 1);
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
  return { took, times: timesOf(step, state, now) };
}

function timesOf(step, state, now) {
  const start = day(clock(step.started, now));
  if (!step.ended) return state === "RUNNING" ? [...waitOf(step), `since ${start}`, start] : [`from ${start}`, start];
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
