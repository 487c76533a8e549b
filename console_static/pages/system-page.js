// The page about the installation: roles, streams, groups, Redis, and what is wrong with them.

import { html } from "../vendor/preact.js";
import { useNow, usePolling } from "../hooks/live.js";
import { Ago } from "../components/indicators.js";
import { asSentence } from "../format/text.js";
import { WORKFLOW_STATES } from "../format/state-labels.js";
import { ProblemMessage } from "../components/dialog.js";
import { useInstallation } from "../state/installation.js";
import { formatBytes } from "../components/json-view.js";
import { Doctor } from "../views/doctor.js";
import { Groups } from "../views/groups.js";
import { PauseControls } from "../views/pauses.js";
import { Tokens } from "../views/tokens.js";

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
  const lengths = sumLengths(system.streams);
  return html`<section class="page system">
    <div class="heading">
      <h1>System</h1>
      <p class="buttons">
        <a class="button" href="notices">Notices</a>
        <a class="button" href="docs">API of this server</a>
      </p>
    </div>
    <${PauseControls} />
    ${system.problems.map(
      (text) => html`<p key=${text} class="alarm tone-terminating">${asSentence(text)}</p>`,
    )}
    <h2 class="hidden">Overview</h2>
    <div class="cards">
      <${Card} name="Workflows" value=${sum(system.workflows)}>
        ${Object.entries(WORKFLOW_STATES)
          .filter(([word]) => system.workflows[word])
          .map(
            ([word, { label, tone }]) => html`<a class=${`tone-${tone}`} href=${`./?state=${word}`}>
            ${label} ${number(system.workflows[word])}
          </a>`,
          )}
      <//>
      <${Card} name="Stream" value=${system.stream.length}>
        <span>entries in <code>${system.stream.key}</code></span>
        ${lengths.ends > 0 && html`<span>results to process ${number(lengths.ends)}</span>`}
        ${lengths.receipts > 0 && html`<span>receipts to log ${number(lengths.receipts)}</span>`}
      <//>
      <${Card} name="Tasks in queues" value=${lengths.queue}>
        <a href="workers">of groups of workers</a>
      <//>
      <${Card} name="Unclaimed tasks" value=${system.unclaimed.reduce((all, { count }) => all + count, 0)}>
        <a href="workers">on the stream: no group of workers does them</a>
      <//>
      <${Card} name="Dead letters" value=${system.dead_letters} bad=${system.dead_letters > 0}>
        <a href="events">${system.dead_letters ? "Show them" : "none: all events were understood"}</a>
      <//>
      <${Card} name="Timers" value=${sum(system.timers)}>
        <a href="waiting">who waits</a>
        ${Object.entries(system.timers)
          .filter(([, count]) => count)
          .map(([kind, count]) => html`<span>${kind.replaceAll("_", " ")} ${number(count)}</span>`)}
      <//>
      <${Card} name="Latches" value=${system.latches}>
        <a href="events">${system.latches ? "Show them" : "all at zero"}</a>
      <//>
      <${Card} name="Redis" value=${system.redis.version}>
        ${
          system.redis.is_known
            ? html`<span>${formatBytes(system.redis.memory ?? 0)}</span>
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
    <${Groups}
      groups=${system.groups.filter(({ kind }) => kind !== "workers")}
      empty="No group reads the stream yet."
    />
    <${Doctor} />
    <${Tokens} />
  </section>`;
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
