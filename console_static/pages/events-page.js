// Events: the newest on the stream, those that could not be understood, latches; and one by hand.

import { html, useEffect, useState } from "../vendor/preact.js";
import { get, send } from "../client/api.js";
import { address, shortId, workflowPath } from "../state/address.js";
import { Confirm, Trouble } from "../components/dialog.js";
import { usePolled } from "../hooks/live.js";
import { go, useRoute } from "../hooks/navigation.js";
import { say } from "../components/notices.js";
import { Clock, useNow } from "../hooks/now.js";
import { SendEvent } from "../components/event-dialog.js";

const EVERY = 3000;

export function EventsPage() {
  const { params } = useRoute();
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const [sending, setSending] = useState(false);
  const [reset, setReset] = useState(null);
  const now = useNow(true);
  const query = address("", { size: 50, kind: params.kind, workflow: params.workflow });
  const load = usePolled(query, {
    ask: () => Promise.all([get(`/events${query}`), get("/dead-letters?size=50"), get("/latches")]),
    told: ([events, dead, latches]) => {
      setFound({ events, dead, latches });
      setProblem(null);
    },
    failed: setProblem,
  }, EVERY);
  const choose = (changes) => go(address("/events", { ...params, ...changes }), true);
  return html`<section class="page events">
    <div class="heading"><h1>Events</h1><div class="buttons"><button class="primary" onClick=${() => setSending(true)}>Send an event</button></div></div>
    ${problem && html`<${Trouble} problem=${problem} />`}
    ${!found ? !problem && html`<p class="loading">Loading …</p>` : html`
      ${found.dead.length > 0 && html`<h2 class="tone-failed">Dead letters</h2>
        <p class="muted">Events that could not be understood. Each was laid aside, and stopped nobody.</p>
        <table class="list"><thead><tr><th>Time</th><th>Why</th><th>Event</th></tr></thead>
          <tbody>${found.dead.map((letter) => html`<tr key=${letter.id}><td><${Clock} at=${letter.at} now=${now} /></td><td class="reason">${letter.reason}</td><td><${Fields} fields=${letter.fields} shown=${NOTHING} /></td></tr>`)}</tbody></table>`}
      <h2>Latches</h2>
      ${found.latches.length ? html`<table class="list"><thead><tr><th>Name</th><th class="right">Value</th><th>Who waits until it is zero</th><th></th></tr></thead>
        <tbody>${found.latches.map((latch) => html`<tr key=${latch.name}><td class="name"><strong>${latch.name}</strong></td><td data-label="Value" class="right number">${latch.value}</td>
          <td data-label="Waiting">${waiters(latch)}</td><td class="right">${latch.value !== 0 || latch.waiters ? html`<button onClick=${() => setReset(latch)}>Set to zero</button>` : ""}</td></tr>`)}</tbody></table>`
        : html`<p class="muted">All latches are at zero, and nobody waits for one.</p>`}
      <h2>On the stream</h2>
      <p class="tools"><${Filter} label="Kind" hint="Kind, as end-task" value=${params.kind} onChoose=${(kind) => choose({ kind })} />
        <${Filter} label="Workflow" hint="Workflow's id" value=${params.workflow} onChoose=${(workflow) => choose({ workflow })} /></p>
      ${found.events.length ? html`<table class="list"><thead><tr><th>Time</th><th>Kind</th><th>Workflow</th><th>Fields</th></tr></thead>
        <tbody>${found.events.map((event) => html`<tr key=${event.id}><td title=${event.id}><${Clock} at=${event.at} now=${now} /></td>
          <td class="name"><strong>${event.kind ?? "?"}</strong></td><td class="id">${event.workflow ? html`<a href=${workflowPath(event.workflow)}>${shortId(event.workflow)}</a>` : ""}</td><td><${Fields} fields=${event.fields} /></td></tr>`)}</tbody></table>`
        : html`<p class="muted">${params.kind || params.workflow ? "None of the newest is like that." : "None. What has been dealt with is cleared by the receipts role."}</p>`}`}
    ${sending && html`<${SendEvent} onClose=${() => setSending(false)} onDone=${load} />`}
    ${reset && html`<${Confirm} title=${`Set the latch ${reset.name} to zero?`} word="Set to zero" danger
      act=${() => send("POST", `/latches/${encodeURIComponent(reset.name)}/reset`)} onClose=${() => setReset(null)} onDone=${() => { say(`The latch ${reset.name} is at zero`); load(); }}>
      <p>Whoever counts it down goes on at once, also if what it stands for is not done.</p><//>`}
  </section>`;
}

/** A field that chooses when it is left, or by Enter. What is typed is kept meanwhile, whatever the page shows anew. */
function Filter({ label, hint, value = "", onChoose }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  return html`<input type="search" aria-label=${label} placeholder=${hint} value=${typed}
    onInput=${(event) => setTyped(event.target.value)} onChange=${(event) => onChoose(event.target.value.trim())} />`;
}

const NOTHING = new Set();
const SHOWN_ELSEWHERE = new Set(["kind", "at", "apiVersion", "workflow"]);

/** An event's fields, each as the JSON that stands there, on a line of its own. */
const Fields = ({ fields, shown = SHOWN_ELSEWHERE }) => {
  const rows = Object.entries(fields).filter(([name]) => !shown.has(name));
  if (!rows.length) return "";
  const text = rows.map(([name, value]) => `${name}: ${value}`);
  return html`<details class="event-fields"><summary><code>${text.join("  ").slice(0, 160)}</code></summary><pre>${text.join("\n")}</pre></details>`;
};

function waiters(latch) {
  if (!latch.waiters) return "–";
  const shown = latch.waiting.slice(0, 5);
  return html`${shown.map(({ workflow, index }) => html`<a key=${`${workflow} ${index}`} class="id" href=${address(workflowPath(workflow), { step: index })}>${shortId(workflow)}</a> `)}
    ${latch.waiters > shown.length ? `and ${latch.waiters - shown.length} more` : ""}`;
}
