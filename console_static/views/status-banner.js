// The banner of a workflow: why it failed, what it waits for.

import { html, useState } from "../vendor/preact.js";
import { whatNow } from "../format/workflow-status.js";
import { SendEvent } from "../components/event-dialog.js";

/** `onChoose(index)` shows the step that a sentence is about. */
export function WhatNow({ workflow, now, onChoose }) {
  const [sending, setSending] = useState(null);
  const told = whatNow(workflow, now);
  if (!told.length && !sending) return null; // what is being written stays until it is sent or given up
  return html`<div class="what-now">${told.map(({ tone, text, step, waits }) => html`<p class=${`tone-${tone}`}>
      <span>${text}</span>
      ${step !== undefined && html`<button class="quiet" onClick=${() => onChoose(step)}>Look</button>`}
      ${waits?.event && html`<button class="quiet" onClick=${() => setSending({ id: workflow.id, step })}>Send it</button>`}
    </p>`)}
    ${sending && html`<${SendEvent} waitOf=${sending} onClose=${() => setSending(null)} />`}
  </div>`;
}
