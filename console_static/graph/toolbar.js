/** What stands around the picture of a graph: buttons, and what its shapes mean. */

import { html } from "../vendor/preact.js";
import { STEP_STATES } from "../format/state-labels.js";
import { useKeys } from "../hooks/keys.js";

const FACTOR = 1.3;

/** Buttons to zoom, to see all, to follow what runs. */
export function Tools({ actions, follows, canFollow, onFollow }) {
  useKeys({ f: () => actions.fit(), "+": () => actions.zoomBy(FACTOR), "-": () => actions.zoomBy(1 / FACTOR) });
  return html`<div class="graph-tools" role="toolbar" aria-label="View of the graph">
    ${canFollow && html`<button class="follow" aria-pressed=${follows ? "true" : "false"} title="Keep the running step in sight"
      onClick=${() => onFollow(!follows)}>Follow</button>`}
    <button aria-label="Zoom out" title="Zoom out (-)" onClick=${() => actions.zoomBy(1 / FACTOR)}>−</button>
    <button aria-label="Zoom in" title="Zoom in (+)" onClick=${() => actions.zoomBy(FACTOR)}>+</button>
    <button title="See all of it (f)" onClick=${() => actions.fit()}>Fit</button>
  </div>`;
}

/** The states, each with its shape, its word and how many steps are in it. */
export function Legend({ counts }) {
  return html`<ul class="graph-legend" aria-label="States of steps">${Object.entries(STEP_STATES).map(
    ([state, { label, icon, tone }]) => html`<li key=${state} class=${`state-${tone}${counts[state] ? "" : " none"}`}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true"><path d=${icon} /></svg>${label} <span class="number">${counts[state]}</span></li>`,
  )}</ul>`;
}
