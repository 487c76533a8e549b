// A workflow from the API, and its live updates. No DOM.

/** The limit of facts in memory: workflows that loop for days have more. */
export const MAX_FACTS = 50_000;

/** The length of a shortened reason, as in lists of the API. */
const MAX_REASON = 300;

/** The state of a step after an event. */
const STATE_AFTER = {
  started: "RUNNING",
  ended: "DONE",
  skipped: "SKIPPED",
  failed: "FAILED",
  retried: "RUNNING",
};

/**
 * Return the workflow after an update. Unchanged steps stay the same objects.
 *
 * @param {any} workflow from `/workflows/ID?values=false`
 * @param {any} update from `/workflows/ID/live`
 */
export function applyUpdate(workflow, update) {
  const { changes, progress, moment, missing_workers: missing, ...summary } = update;
  const positions = new Map(workflow.steps.map((step, position) => [step.index, position]));
  const steps = [...workflow.steps];
  for (const change of changes) {
    const position = positions.get(change.index);
    if (position !== undefined && change.item === null)
      steps[position] = applyChange(steps[position], change);
  }
  for (const [index, stepProgress] of Object.entries(progress ?? {})) {
    const position = positions.get(Number(index));
    if (position !== undefined && steps[position].state === "RUNNING")
      steps[position] = { ...steps[position], progress: stepProgress };
  }
  if (missing) steps.forEach((step, position) => (steps[position] = applyMissingWorkers(step, missing)));
  return { ...workflow, ...summary, moment: moment || workflow.moment, steps };
}

/** Return the step with what it waits for if no live worker does its task, and without that if one does. */
function applyMissingWorkers(step, missing) {
  const { worker, message, hint, since, ...waits } = step.waits_for ?? { until: null };
  const isDelayed = step.reason && waits.until; // its next attempt has not started
  const task = isDelayed ? "" : findTask(step);
  const current = missing[task];
  if (!current || step.state !== "RUNNING") {
    if (!worker) return step;
    return { ...step, waits_for: hasWaitDetails(waits) ? waits : undefined };
  }
  if (worker && message === current.message && hint === current.hint && since === step.started) return step;
  const { message: newMessage, hint: newHint } = current;
  return {
    ...step,
    waits_for: { ...waits, worker: task, message: newMessage, hint: newHint, since: step.started },
  };
}

/** Return the task that a worker does for a step, or for each of its items; empty if it needs none. */
function findTask(step) {
  if (step.kind === "resource") return step.sink ? "resource:store" : "resource:load";
  return step.kind === "task" ? step.base : "";
}

const hasWaitDetails = (waits) => Boolean(waits && (waits.until || waits.event || waits.latch));

function applyChange(step, { at, event, attempt, reason, simulated }) {
  const state = STATE_AFTER[event];
  if (!state) return step;
  const begins = event === "started" && (step.state === "DONE" || step.state === "SKIPPED");
  const tries = event !== "started" ? step.tries : begins ? 1 : (step.tries ?? 0) + 1;
  const ends = event !== "started" && event !== "skipped";
  const changed = { ...step, state, attempt, tries, simulated: simulated || (ends && step.simulated) };
  if (event === "retried") return { ...changed, reason: shortenReason(reason) };
  if (event === "started" || event === "skipped" || (event === "failed" && !step.started)) {
    Object.assign(changed, {
      started: at,
      ended: null,
      reason: null,
      waits_for: undefined,
      progress: undefined,
    });
  }
  if (event !== "started") Object.assign(changed, { ended: at, waits_for: undefined, progress: undefined });
  if (event === "failed") changed.reason = shortenReason(reason);
  return changed;
}

/** Shorten a reason for a table; null without a reason. */
export const shortenReason = (reason) =>
  reason?.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)}…` : (reason ?? null);

/**
 * Return whether a moment is later than another. `7` is the seventh entry of a history; `1795831999924-0` is
 * an entry that an earlier version wrote, before all others.
 */
export function isLater(moment, other) {
  const numbers = orderOf(moment);
  const otherNumbers = orderOf(other);
  const differing = numbers.findIndex((number, position) => number !== otherNumbers[position]);
  return differing >= 0 && numbers[differing] > otherNumbers[differing];
}

function orderOf(moment) {
  const [first, second] = moment.split("-").map(Number);
  return second === undefined ? [1, first, 0] : [0, first, second];
}

/** Return the newest facts, with more appended, without duplicates: streams and responses overlap. */
export function appendFacts(facts, more) {
  if (!more.length) return facts;
  let position = facts.length;
  while (position > 0 && facts[position - 1].at >= more[0].at) position -= 1;
  const knownKeys = new Set(facts.slice(position).map(factKey));
  const newFacts = more.filter((fact) => !knownKeys.has(factKey(fact)));
  return newFacts.length ? [...facts, ...newFacts].slice(-MAX_FACTS) : facts;
}

const factKey = ({ at, index, item, event, attempt }) => [at, index, item, event, attempt].join(" ");

/** Return whether an update may change what only the whole workflow has: waits, items, actions. */
export const needsReload = (update, workflow) =>
  update.state !== workflow.state ||
  update.paused?.since !== workflow.paused?.since ||
  update.changes.some(
    (change) =>
      change.item !== null ||
      (change.event === "started" && findStep(workflow, change.index)?.base?.startsWith("wait:")),
  );

/**
 * Return whether a step waits whose wait is not loaded. Its wait is stored shortly after its start, without
 * an update.
 */
export const lacksWaitDetails = (workflow) =>
  workflow.state === "RUNNING" &&
  workflow.steps.some(
    (step) => step.state === "RUNNING" && step.base?.startsWith("wait:") && !hasWaitDetails(step.waits_for),
  );

/** Return the step with this index, or undefined. The workflow of an item begins at another index than 0. */
export function findStep(workflow, index) {
  const first = workflow.steps[0]?.index ?? 0;
  return workflow.steps[index - first];
}

/** Return the name of a step for people. `flowStep`, the step of the flow, has the URI of a resource. */
export function formatStepName(step, flowStep = {}) {
  if (step.kind === "resource") return flowStep.sink ? `store <${flowStep.uri}>` : `load <${flowStep.uri}>`;
  if (step.kind === "literal") return "literal";
  if (step.kind === "subflow") return step.name ? `${step.name} { … }` : "{ … }";
  return step.name || { start: "start", end: "end", "subflow-end": "end of subflow" }[step.kind] || step.kind;
}

/** Return the indices of up to `limit` steps after this one, direct and indirect, ascending. */
export function findSuccessors(flow, index, limit = 200) {
  const successorsOf = new Map();
  for (const [from, to] of flow.edges) {
    if (!successorsOf.has(from)) successorsOf.set(from, []);
    successorsOf.get(from).push(to);
  }
  const successors = new Set();
  const stack = [index];
  while (stack.length && successors.size < limit) {
    for (const to of successorsOf.get(stack.pop()) ?? []) {
      if (to !== index && !successors.has(to)) {
        successors.add(to);
        stack.push(to);
      }
    }
  }
  return [...successors].sort((a, b) => a - b);
}
