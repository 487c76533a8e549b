// The page about the installation: roles, stream, groups, Redis, with commands for what is wrong.

import { html } from "../vendor/preact.js";
import { useNow, usePolling } from "../hooks/live.js";
import { Ago } from "../components/indicators.js";
import { WORKFLOW_STATES } from "../format/state-labels.js";
import { ProblemMessage } from "../components/dialog.js";
import { isAlive, useInstallation } from "../state/installation.js";
import { formatSize } from "../components/json-view.js";

const REQUIRED_ROLES = [
  ["lifecycle", "advances workflows"],
  ["wait", "runs delays, event waits and latches"],
  ["receipts", "removes processed events from the stream"],
];
const POLL_MS = 2000;
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
  // The top of every page warns of a missing lifecycle.
  const missing = REQUIRED_ROLES.filter(([role]) => role !== "lifecycle" && !isAlive(system, role));
  return html`<section class="page system">
    <h1>System</h1>
    ${missing.map(
      ([role, duty]) => html`<p class="alarm tone-terminating">
        <strong>No ${role} is running</strong>, which ${duty}. <code>systemctl start lfr@${role}</code>
      </p>`,
    )}
    ${system.redis.warnings.map((text) => html`<p class="alarm tone-terminating">${text}</p>`)}
    <div class="cards">
      <${Card} name="Workflows" value=${sum(system.workflows)}>
        ${Object.entries(WORKFLOW_STATES).map(
          ([word, { label, tone }]) => html`<a class=${`tone-${tone}`} href=${`/?state=${word}`}>
            ${label} ${number(system.workflows[word])}
          </a>`,
        )}
      <//>
      <${Card} name="Stream" value=${system.stream.length}>
        <span>entries in <code>${system.stream.key}</code></span>
      <//>
      <${Card} name="Dead letters" value=${system.dead_letters} bad=${system.dead_letters > 0}>
        <a href="/events">${system.dead_letters ? "Show them" : "none: all events were understood"}</a>
      <//>
      <${Card} name="Timers" value=${sum(system.timers)}>
        ${Object.entries(system.timers).map(
          ([kind, count]) => html`<span>${kind.replaceAll("_", " ")} ${number(count)}</span>`,
        )}
      <//>
      <${Card} name="Latches" value=${system.latches}>
        <a href="/events">${system.latches ? "Show them" : "all at zero"}</a>
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
    <h2>Groups of the stream</h2>
    ${
      system.groups.length
        ? html`<table class="list">
          <thead>
            <tr>
              <th>Group</th>
              <th class="right">Consumers</th>
              <th class="right">To read</th>
              <th class="right">Pending</th>
              <th></th>
            </tr>
          </thead>
          <tbody>
            ${system.groups.map(
              (group) => html`<tr key=${group.name}>
                <td class="name"><strong>${group.name}</strong></td>
                <td data-label="Consumers" class="right number">${number(group.consumers)}</td>
                <td data-label="To read" class="right number">${number(group.lag)}</td>
                <td data-label="Pending" class="right number">${number(group.pending)}</td>
                <td>
                  ${
                    group.lag > 0 && !group.consumers
                      ? html`<span class="tone-terminating">no consumer reads it</span>`
                      : ""
                  }
                </td>
              </tr>`,
            )}
          </tbody>
        </table>`
        : html`<p class="empty">No group reads the stream yet.</p>`
    }
  </section>`;
}

const Card = ({ name, value, bad = false, children }) => html`<div class="card">
  <h3>${name}</h3>
  <p class=${`figure ${bad ? "tone-failed" : ""}`}>${number(value)}</p>
  <p class="about">${children}</p>
</div>`;

const sum = (numbers) => Object.values(numbers ?? {}).reduce((all, each) => all + each, 0);
const number = (value) => (typeof value === "number" ? value.toLocaleString("en") : (value ?? "–"));
