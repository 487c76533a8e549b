// One step beside the graph or the table: parameters, input, output, attempts, what it waits for, what can be done.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { get, workflowAt } from "../client/api.js";
import { shortId, workflowPath } from "../state/address.js";
import { stepName } from "../state/workflow.js";
import { Trouble } from "../components/dialog.js";
import { Json } from "../components/json-view.js";
import { Clock, Duration } from "../hooks/now.js";
import { SendEvent } from "../components/event-dialog.js";
import { State } from "../components/state-label.js";
import { StepActions } from "./step-actions.js";

const STACKED = matchMedia("(max-width: 1000px)"); // above what was clicked, maybe out of sight

export function StepPanel({ workflow, step, now, onChoose, onClose, refresh }) {
  const [whole, setWhole] = useState(null);
  const [problem, setProblem] = useState(null);
  const [sending, setSending] = useState(false);
  useEffect(() => {
    let old = false;
    get(workflowAt(workflow.id, `/steps/${step.index}`)).then(
      (found) => old || (setWhole(found), setProblem(null)),
      (error) => old || setProblem(error),
    );
    return () => {
      old = true;
    };
  }, [workflow.id, workflow.state, step.index, step.state, step.attempt, step.items?.done, step.items?.failed, step.waits_for?.until]);
  const panel = useRef(null);
  useEffect(() => STACKED.matches && panel.current.scrollIntoView({ block: "nearest" }), []);
  const flowStep = workflow.flow.steps[step.index];
  const doc = workflow.flow.docs?.[step.name];
  return html`<aside ref=${panel} class="panel step-panel" aria-label=${`Step ${step.index}`}>
    <div class="heading"><h2><span class="muted">${step.index}</span> ${stepName(step, flowStep)}</h2>
      <button class="quiet" aria-label="Close" title="Close (Esc)" onClick=${onClose}>×</button></div>
    <p class="facts"><${State} step state=${step.state} />
      ${step.started && html`<span>started <${Clock} at=${step.started} now=${now} /></span><span>${step.ended ? "took" : "for"} <${Duration} start=${step.started} end=${step.ended} now=${now} /></span>`}
      ${step.attempt > 1 && html`<span>attempt ${step.attempt}</span>`}</p>
    ${doc && html`<p class="doc">${doc}</p>`}
    ${step.reason && html`<p class=${`reason ${step.state === "FAILED" ? "tone-failed" : "tone-terminating"}`}>${whole?.reason ?? step.reason}</p>`}
    ${problem && html`<${Trouble} problem=${problem} />`}
    ${whole && html`<${StepActions} workflow=${workflow} step=${whole} refresh=${refresh} />`}
    ${whole?.waits_for && step.state === "RUNNING" && html`<${WaitsFor} step=${whole} now=${now} onSend=${() => setSending(true)} />`}
    ${sending && html`<${SendEvent} waitOf=${{ id: workflow.id, step: step.index }} onClose=${() => setSending(false)} />`}
    ${step.progress && html`<p><progress max="1" value=${step.progress.fraction} /> ${step.progress.text}</p>`}
    ${(step.items ?? whole?.items) && html`<${Items} items=${step.items ?? whole.items} />`}
    <dl class="about">
      ${step.base && step.base !== step.name && html`<dt>Task</dt><dd><code>${step.base}</code></dd>`}
      ${flowStep.guard && html`<dt>Guard</dt><dd><code>${flowStep.guard}</code></dd>`}
      ${flowStep.iterate && html`<dt>Iterated</dt><dd>once for each item of its input</dd>`}
      ${flowStep.merge && html`<dt>Merge</dt><dd>its inputs are merged into one object</dd>`}
    </dl>
    ${!whole ? !problem && html`<p class="loading">Loading …</p>` : html`
      ${whole.parameters !== null && html`<${Value} name="Parameters" value=${whole.parameters} step=${step} workflow=${workflow} />`}
      ${step.state !== "PENDING" && html`<${Value} name="Input" value=${whole.input} step=${step} workflow=${workflow} />`}
      ${(step.state === "DONE" || step.state === "SKIPPED") && html`<${Value} name="Output" value=${whole.output} step=${step} workflow=${workflow} />`}
      <${Attempts} attempts=${whole.attempts} now=${now} />`}
    <${Neighbours} workflow=${workflow} index=${step.index} onChoose=${onChoose} />
  </aside>`;
}

/** A value of the step; drawn anew only if it has changed, for it may be large. */
function Value({ name, value, step, workflow }) {
  const file = `${shortId(workflow.id).replaceAll("/", "-")}-${step.index}-${name.toLowerCase()}`;
  return useMemo(() => html`<section><${Json} title=${name} value=${value} name=${file} /></section>`, [name, value, file]);
}

function WaitsFor({ step, now, onSend }) {
  const { event, match, latch, until } = step.waits_for;
  return html`<section><h3>Waits for</h3>
    ${event && html`<p>an event <a href=${`/events?kind=${encodeURIComponent(event)}`}>${event}</a>
      <button class="quiet" onClick=${onSend}>Send it</button></p>`}
    ${match && Object.keys(match).length > 0 && html`<${Json} title="with" value=${match} name="match" />`}
    ${latch && html`<p>the <a href="/events">latch ${latch}</a> to be at zero</p>`}
    ${until && html`<p>${event || latch ? "at the most " : ""}until <${Clock} at=${until} now=${now} /></p>`}
  </section>`;
}

const Items = ({ items }) => html`<section><h3>Items</h3>
  <p>${items.done} of ${items.total ?? "?"} done${items.running ? `, ${items.running} running` : ""}${items.failed ? html`, <span class="tone-failed">${items.failed} failed</span>` : ""}</p>
  ${items.open?.length > 0 && html`<ul class="items">${items.open.map(({ id, state }) => html`<li key=${id}><${State} step state=${state} /> <a href=${workflowPath(id)}>item ${id.slice(id.lastIndexOf(".") + 1)}</a></li>`)}</ul>`}
</section>`;

const Attempts = ({ attempts, now }) => attempts.length > 2 && html`<section><h3>Attempts</h3><ul class="attempts">
  ${attempts.slice(-50).map((fact) => html`<li><${Clock} at=${fact.at} now=${now} /> ${fact.event} ${fact.attempt > 1 || fact.event === "retried" ? `(attempt ${fact.attempt})` : ""} ${fact.reason && html`<span class="muted">${fact.reason}</span>`}</li>`)}</ul></section>`;

function Neighbours({ workflow, index, onChoose }) {
  const name = (at) => stepName(workflow.flow.steps[at], workflow.flow.steps[at]);
  const list = (steps) => steps.slice(0, 12).map((at) => html`<button key=${at} class="link" onClick=${() => onChoose(at)}>${at} ${name(at)}</button>`);
  const before = workflow.flow.edges.filter(([, to]) => to === index).map(([from]) => from);
  const after = workflow.flow.edges.filter(([from]) => from === index).map(([, to]) => to);
  return html`<dl class="about">
    ${before.length > 0 && html`<dt>After</dt><dd>${list(before)}${before.length > 12 ? ` and ${before.length - 12} more` : ""}</dd>`}
    ${after.length > 0 && html`<dt>Before</dt><dd>${list(after)}${after.length > 12 ? ` and ${after.length - 12} more` : ""}</dd>`}
  </dl>`;
}
