// The page about the installation: roles, streams, groups, queues, Redis, and what is wrong with them.

import { html, useState } from "../vendor/preact.js";
import { useNow, usePolling } from "../hooks/live.js";
import { Ago } from "../components/indicators.js";
import { WORKFLOW_STATES } from "../format/state-labels.js";
import { ProblemMessage } from "../components/dialog.js";
import { useInstallation } from "../state/installation.js";
import { formatSize } from "../components/json-view.js";
import { getJson, pathSegment } from "../client/api.js";
import { formatDuration } from "../format/times.js";
import { shortenId, workflowAddress } from "../state/address.js";
import { PauseControls } from "../views/pauses.js";

const POLL_MS = 2000;
const QUEUE_SIZE = 20;
const SILENT_AFTER_SECONDS = 6; // a process sends a heartbeat every other second

export function SystemPage() {
  const { system, problem, refresh } = useInstallation();
  const now = useNow(true);
  usePolling(
    "",
    {
      request: async () => {
        const error = await refresh();
        if (error) throw error;
      },
    },
    POLL_MS,
  );
  if (!system)
    return html`<section class="page">
      <h1>System</h1>
      ${problem ? html`<${ProblemMessage} problem=${problem} />` : html`<p class="loading">Loading …</p>`}
    </section>`;
  const lengths = sumLengths(system.streams);
  return html`<section class="page system">
    <div class="heading">
      <h1>System</h1>
      <a href="docs">API of this server</a>
    </div>
    <${PauseControls} />
    ${system.problems.map((text) => html`<p key=${text} class="alarm tone-terminating">${text}</p>`)}
    <h2 class="hidden">Overview</h2>
    <div class="cards">
      <${Card} name="Workflows" value=${sum(system.workflows)}>
        ${Object.entries(WORKFLOW_STATES).map(
          ([word, { label, tone }]) => html`<a class=${`tone-${tone}`} href=${`./?state=${word}`}>
            ${label} ${number(system.workflows[word])}
          </a>`,
        )}
      <//>
      <${Card} name="Stream" value=${system.stream.length}>
        <span>entries in <code>${system.stream.key}</code></span>
        <span>results to process ${number(lengths.ends)}</span>
        <span>receipts to log ${number(lengths.receipts)}</span>
      <//>
      <${Card} name="Tasks in queues" value=${lengths.queue}>
        <span>of groups of workers</span>
      <//>
      <${Card} name="Unclaimed tasks" value=${system.unclaimed.reduce((all, { count }) => all + count, 0)}>
        <span>on the stream: no group of workers does them</span>
      <//>
      <${Card} name="Dead letters" value=${system.dead_letters} bad=${system.dead_letters > 0}>
        <a href="events">${system.dead_letters ? "Show them" : "none: all events were understood"}</a>
      <//>
      <${Card} name="Timers" value=${sum(system.timers)}>
        ${Object.entries(system.timers).map(
          ([kind, count]) => html`<span>${kind.replaceAll("_", " ")} ${number(count)}</span>`,
        )}
      <//>
      <${Card} name="Latches" value=${system.latches}>
        <a href="events">${system.latches ? "Show them" : "all at zero"}</a>
      <//>
      <${Card} name="Redis" value=${system.redis.version}>
        ${
          system.redis.is_known
            ? html`<span>${formatSize(system.redis.memory ?? 0).replace("characters", "bytes")}</span>
                <span class=${system.redis.is_persistent ? "" : "tone-terminating"}>
                  ${
                    system.redis.is_persistent
                      ? "append-only file"
                      : "not persistent: a restart loses all data. Set appendonly yes"
                  }
                </span>`
            : html`<span>version and memory are unknown: its user may not send INFO</span>`
        }
      <//>
    </div>
    <h2>Roles</h2>
    ${
      system.roles.length
        ? html`<table class="list">
          <thead>
            <tr>
              <th>Role</th>
              <th>Host</th>
              <th class="right">Process</th>
              <th>Version</th>
              <th>Since</th>
              <th>Heartbeat</th>
              <th class="right">Passes</th>
              <th class="right">Events</th>
            </tr>
          </thead>
          <tbody>
            ${system.roles.map(
              (role) => html`<tr key=${role.name + role.host + role.pid}>
                <td class="name"><strong>${role.name}</strong></td>
                <td data-label="Host">${role.host}</td>
                <td data-label="Process" class="right number">${role.pid}</td>
                <td data-label="Version">${role.version}</td>
                <td data-label="Since"><${Ago} at=${role.since} now=${now} /></td>
                <td
                  data-label="Heartbeat"
                  class=${role.age > SILENT_AFTER_SECONDS ? "tone-failed" : "tone-done"}
                >
                  ${role.age > SILENT_AFTER_SECONDS ? `silent for ${Math.round(role.age)} s` : "alive"}
                </td>
                <td data-label="Passes" class="right number">${number(role.passes)}</td>
                <td data-label="Events" class="right number">${number(role.events)}</td>
              </tr>`,
            )}
          </tbody>
        </table>`
        : html`<p class="empty">
          No role is alive. <code>lfr install --enable lifecycle wait receipts --now</code>, or${" "}
          <code>lfr up</code> to try it out.
        </p>`
    }
    <${UnclaimedTasks} unclaimed=${system.unclaimed} now=${now} />
    <h2>Groups of workers</h2>
    <${Groups}
      groups=${system.groups.filter(({ kind }) => kind === "workers")}
      empty="No worker has claimed a task yet. lfr tasks FILE starts one."
    />
    <h2>Groups of the stream</h2>
    <${Groups}
      groups=${system.groups.filter(({ kind }) => kind !== "workers")}
      empty="No group reads the stream yet."
    />
  </section>`;
}

/** The tasks that wait and that nobody has claimed; nothing if there is none. */
const UnclaimedTasks = ({ unclaimed, now }) =>
  unclaimed.length > 0 &&
  html`<h2>Unclaimed tasks</h2>
    <table class="list unclaimed">
      <thead>
        <tr>
          <th>Task</th>
          <th class="right">Waiting</th>
          <th>Oldest</th>
          <th><span class="hidden">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${unclaimed.map(
          ({ task, count, since, problem, hint }) => html`<tr key=${task}>
            <td class="name"><strong>${task}</strong></td>
            <td data-label="Waiting" class="right number">${number(count)}</td>
            <td data-label="Oldest"><${Ago} at=${since} now=${now} /></td>
            <td>
              ${
                problem
                  ? html`<span class="tone-terminating">${problem} (${hint})</span>`
                  : "other workers, or simulate, do it"
              }
            </td>
          </tr>`,
        )}
      </tbody>
    </table>`;

/** A table of groups, each with what it does and what it has to do. */
const Groups = ({ groups, empty }) =>
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
              <td data-label="To read" class="right number">${number(group.lag)}</td>
              <td data-label="Pending" class="right number">${number(group.pending)}</td>
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

const Card = ({ name, value, bad = false, children }) => html`<div class="card">
  <h3>${name}</h3>
  <p class=${`figure ${bad ? "tone-failed" : ""}`}>${number(value)}</p>
  <p class="about">${children}</p>
</div>`;

/** Return how many entries the streams of each kind have. */
function sumLengths(streams) {
  const lengths = { bus: 0, ends: 0, receipts: 0, queue: 0 };
  for (const { kind, length } of streams) lengths[kind] += length;
  return lengths;
}

const sum = (numbers) => Object.values(numbers ?? {}).reduce((all, each) => all + each, 0);
const number = (value) => (typeof value === "number" ? value.toLocaleString("en") : (value ?? "–"));
