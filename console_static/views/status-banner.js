// The banner of a workflow: its failure, or what it waits for.

import { html, useState } from "../vendor/preact.js";
import { describeStatus } from "../format/workflow-status.js";
import { useAccess } from "../state/access.js";
import { EventDialog } from "../components/event-dialog.js";

/** Calls `onChoose(index)` to show the step of a sentence. */
export function StatusBanner({ workflow, now, onChoose }) {
  const may = useAccess();
  const [waitingStep, setWaitingStep] = useState(null);
  const close = () => setWaitingStep(null);
  const sentences = describeStatus(workflow, now);
  if (!sentences.length && !waitingStep) return null; // an open dialog stays open
  return html`<div class="what-now">
    ${sentences.map(
      ({ tone, text, step, waits }) => html`<p class=${`tone-${tone}`}>
        <span>${text}</span>
        ${step !== undefined && html`<button onClick=${() => onChoose(step)}>Details</button>`}
        ${
          waits?.event &&
          may("operate") &&
          html`<button class="primary" onClick=${() => setWaitingStep({ id: workflow.id, index: step })}>
            Send it
          </button>`
        }
      </p>`,
    )}
    ${waitingStep && html`<${EventDialog} waitingStep=${waitingStep} onClose=${close} />`}
  </div>`;
}
