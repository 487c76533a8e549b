// A table of groups of consumers, each with what it does and what it has to do.

import { html, useState } from "../vendor/preact.js";
import { getJson, pathSegment } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { formatDuration } from "../format/times.js";
import { shortenId, workflowAddress } from "../state/address.js";

const QUEUE_SIZE = 20;

/** A table of groups, each with what it does and what it has to do. */
export const Groups = ({ groups, empty }) =>
  groups.length
    ? html`<table class="list groups">
        <thead>
          <tr>
            <th>Group</th>
            <th class="right">Consumers</th>
            <th class="right">To read</th>
            <th class="right">Pending</th>
            <th class="right">Oldest waits</th>
            <th><span class="hidden">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          ${groups.map(
            (group) => html`<tr key=${group.name}>
              <td class="name"><strong>${group.name}</strong></td>
              <td data-label="Consumers" class="right number">${number(group.consumers)}</td>
              <td data-label="To read" class="right number">${number(group.lag || null)}</td>
              <td data-label="Pending" class="right number">${number(group.pending || null)}</td>
              <td data-label="Oldest waits" class="right">
                ${group.waits === null ? "–" : formatDuration(1000 * group.waits)}
              </td>
              <td>${renderDuty(group)}</td>
            </tr>`,
          )}
        </tbody>
      </table>`
    : html`<p class="empty">${empty}</p>`;

/** What a group does, whether anybody of it is alive, and its queue. */
function renderDuty(group) {
  if (group.kind !== "workers") {
    const isUnread = group.lag > 0 && !group.consumers;
    return isUnread ? html`<span class="tone-terminating">no consumer reads it</span>` : "";
  }
  return html`
    ${group.claims.map((claim) => html`<code key=${claim}>${claim}</code> `)}
    ${!group.processes && html`<span class="tone-failed">no live worker</span>`}
    ${group.length > 0 && html`<${Queue} group=${group.name} length=${group.length} />`}
  `;
}

/** The first tasks in the queue of a group, loaded when somebody opens the list. */
function Queue({ group, length }) {
  const [entries, setEntries] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = (event) =>
    event.currentTarget.open &&
    getJson(`/queues/${pathSegment(group)}?size=${QUEUE_SIZE}`).then(setEntries, setProblem);
  return html`<details class="queue" onToggle=${load}>
    <summary>${number(length)} in its queue</summary>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${
      entries &&
      html`<ol>
        ${entries.map(
          ({ id, workflow, is_read: isRead, fields }) => html`<li key=${id}>
            <code>${fields.name ?? "?"}</code>${" "}
            ${workflow && html`<a class="id" href=${workflowAddress(workflow)}>${shortenId(workflow)}</a>`}
            ${" "}<span class="muted">${isRead ? "read by a worker" : "waits"}</span>
          </li>`,
        )}
      </ol>`
    }
    ${
      entries &&
      entries.length < length &&
      html`<p class="muted">and ${number(length - entries.length)} more</p>`
    }
  </details>`;
}

const number = (value) => (typeof value === "number" ? value.toLocaleString("en") : (value ?? "–"));
