// Runs of a flow beside each other: a column for each run, the oldest first, a row for each step.

import { html } from "../vendor/preact.js";
import { StateIcon } from "../components/indicators.js";
import { STEP_STATES, WORKFLOW_STATES } from "../format/state-labels.js";
import { formatClock } from "../format/times.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";
import { describeCell, formatSeconds } from "../state/flow-runs.js";

const BAR_HEIGHT = 40; // px, of the longest run

/** `described` is the response of `/flows/NAME/runs`. */
export function RunGrid({ described, now }) {
  const runs = [...described.runs].reverse();
  const longest = Math.max(...runs.map((run) => run.seconds ?? 0), 0.001);
  return html`<div class="run-grid" tabindex="0" role="region" aria-label="Runs, step by step">
    <table>
      <thead>
        <tr>
          <th class="title" scope="col">Step</th>
          <th class="median" scope="col" title="The median of what is done">Median</th>
          ${runs.map(
            (run) => html`<th key=${run.id} scope="col">
              <${RunBar} run=${run} share=${(run.seconds ?? 0) / longest} now=${now} />
            </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${described.steps.map(
          ({ title, seconds }, at) => html`<tr key=${at}>
            <th class="title" scope="row">${title}</th>
            <td class="median number">${formatSeconds(seconds)}</td>
            ${runs.map(
              (run) => html`<td key=${run.id}>
                ${run.steps[at] && html`<${StepCell} title=${title} cell=${run.steps[at]} run=${run} />`}
              </td>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A bar as high as the run is long, with the colour of its state. */
function RunBar({ run, share, now }) {
  const { tone, label, icon } = WORKFLOW_STATES[run.state];
  const text = [
    `${shortenId(run.id)}: ${label}`,
    formatSeconds(run.seconds),
    `started ${formatClock(run.started, now)}`,
  ].join(", ");
  return html`<a class=${`run tone-${tone}`} href=${workflowAddress(run.id)} title=${text} aria-label=${text}>
    <svg width="14" height=${BAR_HEIGHT} aria-hidden="true">
      <rect
        width="14"
        y=${BAR_HEIGHT - Math.max(2, share * BAR_HEIGHT)}
        height=${Math.max(2, share * BAR_HEIGHT)}
      />
    </svg>
    <${StateIcon} icon=${icon} />
  </a>`;
}

function StepCell({ title, cell, run }) {
  const { tone, icon } = STEP_STATES[cell.state];
  const text = describeCell(title, cell, run);
  const address = buildAddress(workflowAddress(run.id), { step: cell.index });
  return html`<a class=${`cell tone-${tone}`} href=${address} title=${text} aria-label=${text}>
    <${StateIcon} icon=${icon} />
  </a>`;
}
