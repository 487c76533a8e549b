// One workflow as the API tells it, and what news make of it. Nothing here touches the page.

/** Facts that a page keeps: a workflow that loops for days has more. */
export const MOST_FACTS = 50_000;

/** Characters of a reason that are shown before anybody asks for all of it, as in the API's short answers. */
const LONGEST_REASON = 300;

const AFTER = { started: "RUNNING", ended: "DONE", skipped: "SKIPPED", failed: "FAILED", retried: "RUNNING" };

/**
 * The workflow after news of its stream. Of its steps only those are new objects that have changed.
 *
 * @param {object} workflow as `/workflows/ID?values=false` has it
 * @param {object} news as `/workflows/ID/live` has it
 */
export function takeChanges(workflow, news) {
  const { changes, progress, moment, ...summary } = news;
  const places = new Map(workflow.steps.map((step, place) => [step.index, place]));
  const steps = [...workflow.steps];
  for (const change of changes) {
    const place = places.get(change.index);
    if (place !== undefined && change.item === null) steps[place] = changedStep(steps[place], change);
  }
  for (const [index, told] of Object.entries(progress ?? {})) {
    const place = places.get(Number(index));
    if (place !== undefined && steps[place].state === "RUNNING") steps[place] = { ...steps[place], progress: told };
  }
  return { ...workflow, ...summary, moment: moment || workflow.moment, steps };
}

function changedStep(step, { at, event, attempt, reason }) {
  const state = AFTER[event];
  if (!state) return step;
  const changed = { ...step, state, attempt };
  if (event === "retried") return { ...changed, reason: shortReason(reason) };
  if (event === "started" || event === "skipped" || (event === "failed" && !step.started)) {
    Object.assign(changed, { started: at, ended: null, reason: null, waits_for: undefined, progress: undefined });
  }
  if (event !== "started") Object.assign(changed, { ended: at, waits_for: undefined, progress: undefined });
  if (event === "failed") changed.reason = shortReason(reason);
  return changed;
}

/** A reason that may be very long, short enough for a table; null if there is none. */
export const shortReason = (reason) => (reason?.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON)}…` : reason ?? null);

/** Whether a moment, `1795831999924-0`, is later than another one. */
export function isLater(moment, other) {
  const [ms, number] = moment.split("-").map(Number);
  const [otherMs, otherNumber] = other.split("-").map(Number);
  return ms > otherMs || (ms === otherMs && number > otherNumber);
}

/** The facts with more behind them. Some of those may be known: streams and answers overlap. */
export function addFacts(facts, more) {
  if (!more.length) return facts;
  let place = facts.length;
  while (place > 0 && facts[place - 1].at >= more[0].at) place -= 1;
  const known = new Set(facts.slice(place).map(toldOf));
  const fresh = more.filter((fact) => !known.has(toldOf(fact)));
  return fresh.length ? [...facts, ...fresh].slice(-MOST_FACTS) : facts;
}

const toldOf = ({ at, index, item, event, attempt }) => [at, index, item, event, attempt].join(" ");

/** Whether news may have changed what only the whole answer tells: waits, items, what can be done. */
export const wantsWhole = (news, workflow) =>
  news.state !== workflow.state ||
  news.changes.some((change) => change.item !== null || (change.event === "started" && stepAt(workflow, change.index)?.base?.startsWith("wait:")));

/** Whether a step waits, and is not told what for: its start is told by news, its wait begins a moment later by none. */
export const lacksWait = (workflow) =>
  workflow.state === "RUNNING" && workflow.steps.some((step) => step.state === "RUNNING" && step.base?.startsWith("wait:") && !step.waits_for);

/** The step of this index; undefined if the workflow has none. */
export function stepAt(workflow, index) {
  const first = workflow.steps[0]?.index ?? 0;
  return workflow.steps[index - first];
}

/** What a step is called where people read it. */
export function stepName(step, flowStep = {}) {
  if (step.kind === "resource") return flowStep.sink ? `store <${flowStep.uri}>` : `load <${flowStep.uri}>`;
  if (step.kind === "literal") return "literal";
  if (step.kind === "subflow") return step.name ? `${step.name} { … }` : "{ … }";
  return step.name || { start: "start", end: "end", "subflow-end": "end of subflow" }[step.kind] || step.kind;
}

/** The steps that come after this one, however far, ascending, without itself; at most `most`. */
export function following(flow, index, most = 200) {
  const after = new Map();
  for (const [from, to] of flow.edges) {
    if (!after.has(from)) after.set(from, []);
    after.get(from).push(to);
  }
  const found = new Set();
  const next = [index];
  while (next.length && found.size < most) {
    for (const to of after.get(next.pop()) ?? []) {
      if (to !== index && !found.has(to)) {
        found.add(to);
        next.push(to);
      }
    }
  }
  return [...found].sort((a, b) => a - b);
}
