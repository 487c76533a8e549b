// A state, told by shape, word and colour.

import { html } from "../vendor/preact.js";
import { STEP_STATES, WORKFLOW_STATES } from "../format/state-labels.js";

/** The shape of a state alone. */
export const Shape = ({ icon }) => html`<svg class="shape" viewBox="0 0 16 16" aria-hidden="true"><path d=${icon} /></svg>`;

/** The state of a workflow or, with `step`, of a step. */
export function State({ state, step = false }) {
  const known = (step ? STEP_STATES : WORKFLOW_STATES)[state];
  if (!known) return html`<span class="state">${state}</span>`;
  return html`<span class="state tone-${known.tone}"><${Shape} icon=${known.icon} />${known.label}</span>`;
}
