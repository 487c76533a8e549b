// A group of failures: its cause, how many and when, its workflows, and what can be done to all of them.

import { html, useEffect, useState } from "../vendor/preact.js";
import { getPage } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { Ago, Clock } from "../components/indicators.js";
import { Sparkline } from "../components/sparkline.js";
import { formatDuration } from "../format/times.js";
import { useAccess } from "../state/access.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";

const MAX_MEMBERS = 20;

/**
 * `partSeconds` is how long each part of the trend is; `onAct(action)` asks whether to do an action to all of
 * the group, `onRetry` whether to restart its latest workflow. `listAddress` is that of the list of them.
 */
export function FailureGroup({ group, partSeconds, now, listAddress, canArchive, onAct, onRetry }) {
  const may = useAccess();
  const [isOpen, setIsOpen] = useState(false);
  const count = group.count.toLocaleString("en");
  const part = formatDuration(1000 * partSeconds);
  const peak = Math.max(...group.trend).toLocaleString("en");
  return html`<article class="failure panel" aria-label=${`${count} failed: ${group.reason || "no reason"}`}>
    <div class="failure-cause">
      <h2>
        <span class="tone-failed">${count} failed</span>${" "}
        ${group.step && html`at <strong>${group.step}</strong>${" "}`}
        ${group.flow ? html`of the flow <strong>${group.flow}</strong>` : "of flows without a name"}
      </h2>
      <p class="reason">${markPlaceholders(group.reason || "No reason was given.")}</p>
      <p class="muted"><${Times} group=${group} now=${now} /></p>
      <p class="muted">
        Latest: <a href=${stepAddress(group.latest, group.index)}>${shortenId(group.latest)}</a>
        ${group.example !== group.reason && html`, ${group.example}`}
      </p>
    </div>
    <figure class="trend">
      <${Sparkline}
        counts=${group.trend}
        label=${`Failures over time, each bar ${part}, up to ${peak} in one`}
      />
      <figcaption class="muted">Each bar: ${part}. Highest: ${peak}.</figcaption>
    </figure>
    <div class="buttons">
      ${
        may("operate") &&
        html`<button class="primary" onClick=${() => onAct("restart")}>
            Restart ${group.count > 1 ? `all ${count}` : "it"}
          </button>
          ${group.count > 1 && html`<button onClick=${onRetry}>Retry one first</button>`}
          <button title="Give up: what they have is kept" onClick=${() => onAct("terminate")}>
            Terminate
          </button>`
      }
      ${
        may("admin") &&
        html`${canArchive && html`<button onClick=${() => onAct("archive")}>Archive</button>`}
          <button onClick=${() => onAct("delete")}>Delete</button>`
      }
      <button aria-expanded=${isOpen} onClick=${() => setIsOpen(!isOpen)}>
        ${isOpen ? "Hide" : "Show"} ${group.count > 1 ? `the ${count} workflows` : "the workflow"}
      </button>
    </div>
    ${isOpen && html`<${Members} group=${group} now=${now} listAddress=${listAddress} />`}
  </article>`;
}

/** Return a reason in which the placeholders of what differs stand out: `<n>`, `<text>`. */
const markPlaceholders = (reason) =>
  reason
    .split(/(<(?:n|time|address|text)>)/)
    .map((part, index) => (index % 2 ? html`<var title="differs from one to the next">${part}</var>` : part));

const Times = ({ group, now }) =>
  group.count > 1
    ? html`from <${Clock} at=${group.first} now=${now} /> to${" "}
        <${Clock} at=${group.last} now=${now} /> (<${Ago} at=${group.last} now=${now} />)`
    : html`at <${Clock} at=${group.last} now=${now} /> (<${Ago} at=${group.last} now=${now} />)`;

const stepAddress = (id, index) => buildAddress(workflowAddress(id), { step: index });

/** The workflows of a group that started last, each with its whole reason. */
function Members({ group, now, listAddress }) {
  const [rows, setRows] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let isStale = false;
    getPage(`/workflows${buildAddress("", { where: group.where, size: MAX_MEMBERS })}`).then(
      (page) => isStale || setRows(page.items),
      (error) => isStale || setProblem(error),
    );
    return () => {
      isStale = true;
    };
  }, [group.failure, group.count, group.last]);
  if (problem) return html`<${ProblemMessage} problem=${problem} />`;
  if (!rows) return html`<p class="loading">Loading …</p>`;
  return html`<ul class="members">
      ${rows.map(
        (row) => html`<li key=${row.id}>
          <a href=${stepAddress(row.id, group.index)}>${shortenId(row.id)}</a>${" "}
          <span class="muted"><${Ago} at=${row.ended} now=${now} /></span>${" "}
          <span class="reason">${row.reason}</span>
        </li>`,
      )}
    </ul>
    <p><a href=${listAddress}>${
      group.count > rows.length ? `All ${group.count.toLocaleString("en")} in the list` : "In the list"
    }</a></p>`;
}
