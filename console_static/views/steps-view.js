// The steps of a workflow as a table.

import { html, useMemo, useState } from "../vendor/preact.js";
import { STEP_STATES } from "../format/state-labels.js";
import { stepName } from "../state/workflow.js";
import { useRowKeys } from "../hooks/keys.js";
import { Clock, Duration } from "../hooks/now.js";
import { State } from "../components/state-label.js";

const AT_ONCE = 300; // rows that are shown before anybody asks for more
const SMALL = new Set(["start", "end", "subflow-end"]);

export function StepsView({ workflow, now, chosen, onChoose }) {
  const [state, setState] = useState("");
  const [text, setText] = useState("");
  const [all, setAll] = useState(false);
  const [count, setCount] = useState(AT_ONCE);
  const named = useMemo(() => workflow.steps.map((step) => ({ step, name: stepName(step, workflow.flow.steps[step.index]) })), [workflow.steps]);
  const counts = useMemo(() => countStates(workflow.steps), [workflow.steps]);
  useRowKeys();
  const wanted = text.trim().toLowerCase();
  const fitting = named.filter(({ step, name }) => (all || !SMALL.has(step.kind)) && (!state || step.state === state)
    && (!wanted || name.toLowerCase().includes(wanted) || String(step.index) === wanted));
  return html`<div class="steps">
    <p class="tools">
      <input type="search" aria-label="Search steps" placeholder="Name or index" value=${text} onInput=${(event) => setText(event.target.value)} />
      <select aria-label="State" value=${state} onChange=${(event) => setState(event.target.value)}><option value="">All states</option>
        ${Object.entries(STEP_STATES).map(([word, { label }]) => html`<option value=${word}>${label} (${counts.get(word) ?? 0})</option>`)}</select>
      <label class="check"><input type="checkbox" checked=${all} onChange=${(event) => setAll(event.target.checked)} /> starts and ends, too</label>
    </p>
    <table class="list"><thead><tr><th class="right">Step</th><th>Task</th><th>State</th><th class="right">Attempt</th><th>Started</th><th class="right">Duration</th><th>What</th></tr></thead>
      <tbody>${fitting.slice(0, count).map(({ step, name }) => html`<tr key=${step.index} class=${step.index === chosen ? "chosen" : ""}>
        <td class="right number">${step.index}</td>
        <td class="name"><button class="link row-link" onClick=${() => onChoose(step.index)}><strong>${name}</strong></button>${step.base && step.base !== step.name && html` <span class="muted">${step.base}</span>`}</td>
        <td><${State} step state=${step.state} /></td>
        <td data-label="Attempt" class="right number">${step.attempt || "–"}</td>
        <td data-label="Started"><${Clock} at=${step.started} now=${now} /></td>
        <td data-label="Duration" class="right"><${Duration} start=${step.started} end=${step.ended} now=${now} /></td>
        <td data-label="What" class="now">${what(step)}</td></tr>`)}</tbody></table>
    ${!fitting.length && html`<p class="empty">No step is like that.</p>`}
    ${fitting.length > count && html`<button onClick=${() => setCount(count + 10 * AT_ONCE)}>${(fitting.length - count).toLocaleString("en")} more</button>`}
  </div>`;
}

function countStates(steps) {
  const counts = new Map();
  for (const { state } of steps) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

/** What is to be said of a step in a few words: why it failed, what it waits for, how far it is. */
function what(step) {
  if (step.reason) return html`<span class=${step.state === "FAILED" ? "tone-failed" : "tone-terminating"} title=${step.reason}>${step.reason}</span>`;
  if (step.items) return `${step.items.done} of ${step.items.total ?? "?"} items${step.items.failed ? `, ${step.items.failed} failed` : ""}`;
  if (step.progress) return `${Math.round(100 * step.progress.fraction)} % ${step.progress.text ?? ""}`;
  const waits = step.waits_for;
  if (waits?.event) return `waits for event ${waits.event}`;
  if (waits?.latch) return `waits for latch ${waits.latch}`;
  return waits?.until ? html`until <${Clock} at=${waits.until} />` : null;
}
