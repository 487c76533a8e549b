/**
 * Finds steps by what people type: a name, an index, a state. Pure.
 */

import { formatSubtitle, formatTitle } from "./labels.js";

/**
 * Return the indices of the steps that match: the one with this index first, then those with the text in
 * their name or task, and all in a state of this name, in the order of the flow.
 * @param {any} flow from the API
 * @param {string} text such as `pay`, `12`, `#12` or `failed`
 * @param {object} [options]
 * @param {import("./step-states.js").StepIndex|null} [options.stepIndex] null: a flow without a workflow
 * @param {number} [options.first] only the steps from this one
 * @param {number} [options.last] to this one
 * @returns {number[]}
 */
export function findSteps(flow, text, { stepIndex = null, first = 0, last = flow.steps.length - 1 } = {}) {
  const words = text.trim().toLowerCase();
  if (!words) return [];
  const number = /^#?\d+$/.test(words) ? Number(words.replace("#", "")) : -1;
  const state = words.toUpperCase();
  const found = number >= first && number <= last ? [number] : [];
  for (let index = first; index <= last; index += 1) {
    const step = flow.steps[index];
    const isInState = stepIndex !== null && !isDoor(step) && stepIndex.step(index).state === state;
    if (index !== number && (isInState || getName(step, flow).includes(words))) found.push(index);
  }
  return found;
}

/** Return whether a step is the start or the end of a flow or subflow, which have no names of their own. */
const isDoor = ({ kind }) => kind === "start" || kind === "end" || kind === "subflow-end";

const getName = (step, flow) =>
  isDoor(step) || (step.kind === "subflow" && !step.name)
    ? ""
    : `${formatTitle(step, flow)} ${formatSubtitle(step)}`.toLowerCase();

/**
 * Return the indices of failed steps in the order of the flow.
 * @param {import("./step-states.js").StepIndex} stepIndex
 * @param {number} first
 * @param {number} last
 */
export function findFailedSteps(stepIndex, first, last) {
  if (!stepIndex.count(first, last).FAILED) return [];
  const failed = [];
  for (let index = first; index <= last; index += 1)
    if (stepIndex.step(index).state === "FAILED") failed.push(index);
  return failed;
}

/**
 * Return the place in a list of the entry after an index, or before it; around the ends.
 * @param {number[]} indices
 * @param {number|null} index
 * @param {1|-1} direction
 */
export function findPlaceAfter(indices, index, direction) {
  const sorted = index === null ? -1 : indices.indexOf(index);
  if (sorted >= 0) return (sorted + direction + indices.length) % indices.length;
  const next = index === null ? 0 : indices.findIndex((each) => each > index);
  const after = next < 0 ? 0 : next;
  return direction === 1 ? after : (after - 1 + indices.length) % indices.length;
}
