// The table of a workflow's steps.

import { html, useMemo, useState } from "../vendor/preact.js";
import { Clock, Duration, SimulatedMark, StateLabel } from "../components/indicators.js";
import { STEP_STATES } from "../format/state-labels.js";
import { useRowKeys } from "../hooks/keys.js";
import { formatStepName } from "../state/workflow.js";

const PAGE_SIZE = 300;
const SMALL = new Set(["start", "end", "subflow-end"]);

export function StepsView({ workflow, now, chosen, onChoose }) {
  const [state, setState] = useState("");
  const [text, setText] = useState("");
  const [showsAll, setShowsAll] = useState(false);
  const [count, setCount] = useState(PAGE_SIZE);
  const namedSteps = useMemo(
    () =>
      workflow.steps.map((step) => ({ step, name: formatStepName(step, workflow.flow.steps[step.index]) })),
    [workflow.steps],
  );
  const counts = useMemo(() => countStates(workflow.steps), [workflow.steps]);
  useRowKeys();
  const query = text.trim().toLowerCase();
  const matches = namedSteps.filter(
    ({ step, name }) =>
      (showsAll || !SMALL.has(step.kind)) &&
      (!state || (step.state === state && !step.of_items)) &&
      (!query || name.toLowerCase().includes(query) || String(step.index) === query),
  );
  return html`<div class="steps">
    <p class="tools">
      <input
        type="search"
        aria-label="Search steps"
        placeholder="Name or index"
        value=${text}
        onInput=${(event) => setText(event.target.value)}
      />
      <select aria-label="State" value=${state} onChange=${(event) => setState(event.target.value)}>
        <option value="">All states</option>
        ${Object.entries(STEP_STATES).map(
          ([word, { label }]) => html`<option value=${word}>${label} (${counts.get(word) ?? 0})</option>`,
        )}
      </select>
      <label class="check">
        <input type="checkbox" checked=${showsAll} onChange=${(event) => setShowsAll(event.target.checked)} />
        ${" "}starts and ends, too
      </label>
    </p>
    <table class="list">
      <thead>
        <tr>
          <th class="right">Step</th>
          <th>Task</th>
          <th>State</th>
          <th class="right">Attempt</th>
          <th>Started</th>
          <th class="right">Duration</th>
          <th>What</th>
        </tr>
      </thead>
      <tbody>
        ${matches.slice(0, count).map(
          ({ step, name }) => html`<tr key=${step.index} class=${step.index === chosen ? "chosen" : ""}>
            <td class="right number">${step.index}</td>
            <td class="name">
              <button class="link row-link" onClick=${() => onChoose(step.index)}>
                <strong>${name}</strong>
              </button>
              ${step.base && step.base !== step.name && html` <span class="muted">${step.base}</span>`}
            </td>
            <td>
              ${
                step.of_items
                  ? html`<span class="muted">in each item</span>`
                  : html`<${StateLabel} step state=${step.state} />`
              }
              ${step.simulated && html` <${SimulatedMark} />`}
            </td>
            <td data-label="Attempt" class="right number">${step.tries || "–"}</td>
            <td data-label="Started"><${Clock} at=${step.started} now=${now} /></td>
            <td data-label="Duration" class="right">
              <${Duration} start=${step.started} end=${step.ended} now=${now} />
            </td>
            <td data-label="What" class="now">${renderDetails(step)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${!matches.length && html`<p class="empty">No step matches.</p>`}
    ${
      matches.length > count &&
      html`<button onClick=${() => setCount(count + 10 * PAGE_SIZE)}>
        ${(matches.length - count).toLocaleString("en")} more
      </button>`
    }
  </div>`;
}

function countStates(steps) {
  const counts = new Map();
  for (const { state, of_items } of steps) if (!of_items) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

/** That no worker does a step, the reason of a failed one, its progress, or its wait. */
function renderDetails(step) {
  const waits = step.waits_for;
  if (waits?.worker && !step.items)
    return html`<span class="tone-terminating" title=${waits.hint}>${waits.message}</span>`;
  if (step.reason)
    return html`<span
      class=${step.state === "FAILED" ? "tone-failed" : "tone-terminating"}
      title=${step.reason}
    >
      ${step.reason}
    </span>`;
  if (step.items) {
    const { done, total, failed } = step.items;
    return `${done} of ${total ?? "?"} items${failed ? `, ${failed} failed` : ""}`;
  }
  if (step.call?.id) {
    const { flow, version, state } = step.call;
    return `calls ${flow}, version ${version}: ${state}`;
  }
  if (step.progress) return `${Math.round(100 * step.progress.fraction)} % ${step.progress.text ?? ""}`;
  if (waits?.event) return `waits for event ${waits.event}`;
  if (waits?.latch) return `waits for latch ${waits.latch}`;
  return waits?.until ? html`until <${Clock} at=${waits.until} />` : null;
}
