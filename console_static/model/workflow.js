// One workflow as the API tells it, and what news make of it. Nothing here touches the page.

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
  if (event === "retried") return { ...changed, reason };
  if (event === "started" || event === "skipped" || (event === "failed" && !step.started)) {
    Object.assign(changed, { started: at, ended: null, reason: null, waits_for: undefined, progress: undefined });
  }
  if (event !== "started") Object.assign(changed, { ended: at, waits_for: undefined, progress: undefined });
  if (event === "failed") changed.reason = reason;
  return changed;
}

/** Whether news may have changed what only the whole answer tells: waits, items, what can be done. */
export const wantsWhole = (news, workflow) =>
  news.state !== workflow.state ||
  news.changes.some((change) => change.item !== null || (change.event === "started" && stepAt(workflow, change.index)?.base?.startsWith("wait:")));

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
