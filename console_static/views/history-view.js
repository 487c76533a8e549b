// The history of a workflow, newest fact first.

import { html, useState } from "../vendor/preact.js";
import { describeReason } from "../format/actors.js";
import { formatClock, formatExact } from "../format/times.js";
import { shortenReason, findStep, formatStepName } from "../state/workflow.js";

const PAGE_SIZE = 300;
const TONES = {
  started: "running",
  ended: "done",
  finished: "done",
  failed: "failed",
  "timed-out": "failed",
  retried: "terminating",
  terminated: "terminated",
  skipped: "skipped",
  restarted: "running",
  paused: "terminating",
  resumed: "running",
};

export function HistoryView({ workflow, facts, now, onChoose }) {
  const [count, setCount] = useState(PAGE_SIZE);
  if (!facts.length) return html`<p class="empty">Nothing has happened yet.</p>`;
  const newest = facts.slice(-count).reverse();
  return html`<div class="history">
    <table class="list">
      <thead><tr><th>Time</th><th>What</th><th>Step</th><th>Reason</th></tr></thead>
      <tbody>
        ${newest.map(
          (fact, at) => html`<tr key=${facts.length - at}>
            <td>
              <time datetime=${fact.at} title=${formatExact(fact.at)}>
                ${formatClock(fact.at, now)}
                <span class="muted">.${fact.at?.slice(20, 23)}</span>
              </time>
            </td>
            <td class=${`tone-${TONES[fact.event] ?? "pending"}`}>
              ${fact.event}
              ${fact.simulated ? " (simulated)" : ""}
              ${fact.attempt > 1 && fact.event === "started" ? ` (attempt ${fact.attempt})` : ""}
            </td>
            <td class="name">
              ${
                fact.index === null
                  ? html`<em>the workflow</em>`
                  : html`<button class="link" onClick=${() => onChoose(fact.index)}>
                    ${fact.index} ${formatName(workflow, fact.index)}
                    ${fact.item !== null ? `, item ${fact.item}` : ""}
                  </button>`
              }
            </td>
            <td class="now">
              ${describeReason(fact) && html`<span>${shortenReason(describeReason(fact))}</span>`}
            </td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${
      facts.length > count &&
      html`<button onClick=${() => setCount(count + 10 * PAGE_SIZE)}>
        ${(facts.length - count).toLocaleString("en")} earlier
      </button>`
    }
  </div>`;
}

function formatName(workflow, index) {
  const step = findStep(workflow, index);
  return step ? formatStepName(step, workflow.flow.steps[index]) : "";
}
