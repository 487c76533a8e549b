/** What stands above and below the picture of a graph: search, buttons, the states that there are. */

import { html } from "../vendor/preact.js";
import { STEP_STATES } from "../format/state-labels.js";
import { useKeys } from "../hooks/keys.js";
import { StepSearch } from "./step-search.js";

const ZOOM_STEP = 1.3;
/** Flows with fewer steps have no search. */
const SEARCH_FROM = 20;

/** Search, and buttons to go to failed steps, to zoom, to fit, and to follow the running step. */
export function Toolbar({ actions, following, failed, onFailed, tools, ...search }) {
  useKeys({
    f: () => actions.fit(),
    0: () => actions.zoomToFull(),
    "+": () => actions.zoomBy(ZOOM_STEP),
    "-": () => actions.zoomBy(1 / ZOOM_STEP),
    n: () => onFailed(1),
    N: () => onFailed(-1),
  });
  const [first, last] = search.range;
  return html`<div class="graph-tools" role="toolbar" aria-label="View of the graph">
    ${last - first >= SEARCH_FROM && html`<${StepSearch} ...${search} />`}
    ${
      failed.length > 0 &&
      html`<button class="failed" title="Go to the next failed step (n)" onClick=${() => onFailed(1)}>
        Next failed <span class="number">${failed.length.toLocaleString("en")}</span>
      </button>`
    }
    <span class="graph-space"></span>
    ${tools}
    ${
      following.isPossible &&
      html`<button
        class="follow"
        aria-pressed=${following.isOn ? "true" : "false"}
        title="Keep the running step in sight"
        onClick=${following.toggle}
      >
        Follow
      </button>`
    }
    <button aria-label="Zoom out" title="Zoom out (-)" onClick=${() => actions.zoomBy(1 / ZOOM_STEP)}>
      −
    </button>
    <button aria-label="Zoom in" title="Zoom in (+)" onClick=${() => actions.zoomBy(ZOOM_STEP)}>+</button>
    <button title="See all of it (f)" onClick=${() => actions.fit()}>Fit</button>
  </div>`;
}

/** The states that there are, with icon, label and number of steps. */
export function Legend({ counts }) {
  const present = Object.entries(STEP_STATES).filter(([state]) => counts[state]);
  return html`<ul class="graph-legend" aria-label="States of steps">
    ${present.map(
      ([state, { label, icon, tone }]) => html`<li key=${state} class=${`state-${tone}`}>
        <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true"><path d=${icon} /></svg>
        ${label} <span class="number">${counts[state].toLocaleString("en")}</span>
      </li>`,
    )}
  </ul>`;
}
