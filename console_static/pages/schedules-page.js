// The page of schedules: the list, or one with its next times and what became of the latest.

import { html, useState } from "../vendor/preact.js";
import { runScheduleAction, SCHEDULE_ACTIONS } from "../client/actions.js";
import { pathSegment } from "../client/api.js";
import { Confirm, ProblemMessage } from "../components/dialog.js";
import { Clock } from "../components/indicators.js";
import { showNotice } from "../components/notices.js";
import { formatDuration, formatUntil } from "../format/times.js";
import { useNow, usePolled } from "../hooks/live.js";
import { useRoute } from "../hooks/navigation.js";
import { useAccess } from "../state/access.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";

const POLL_MS = 3000;
const TONES = { missed: "failed", refused: "failed", paused: "terminating", skipped: "skipped" };

export function SchedulesPage() {
  const { params } = useRoute();
  return params.name
    ? html`<${OneSchedule} key=${params.name} name=${params.name} />`
    : html`<${ScheduleList} />`;
}

function ScheduleList() {
  const { data: schedules, problem } = usePolled("/schedules", POLL_MS);
  const now = useNow(true);
  return html`<section class="page schedules">
    <h1>Schedules</h1>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!schedules && !problem && html`<p class="loading">Loading …</p>`}
    ${
      schedules?.length === 0 &&
      html`<div class="empty">
        <h2>There is no schedule yet</h2>
        <p>It stands in the text of a flow, and lfr apply takes it up; or make one by hand:</p>
        <pre>lfr schedule add NAME --flow FLOW --cron '0 3 * * 1-5'</pre>
      </div>`
    }
    ${
      schedules?.length > 0 &&
      html`<table class="list">
        <thead>
          <tr><th>Schedule</th><th>Flow</th><th>Times</th><th>Zone</th><th>Next</th><th>Latest</th></tr>
        </thead>
        <tbody>
          ${schedules.map(
            (schedule) => html`<tr key=${schedule.name}>
              <td class="name">
                <a class="row-link" href=${scheduleAddress(schedule.name)}>
                  <strong>${schedule.name}</strong>
                </a>
              </td>
              <td data-label="Flow">${schedule.flow}</td>
              <td data-label="Times"><code>${schedule.times}</code></td>
              <td data-label="Zone">${schedule.timezone}</td>
              <td data-label="Next"><${NextTime} schedule=${schedule} now=${now} /></td>
              <td data-label="Latest">
                ${schedule.latest ? html`<${Outcome} outcome=${schedule.latest} />` : "–"}
                ${schedule.problem && html`<div class="reason tone-failed">${schedule.problem}</div>`}
              </td>
            </tr>`,
          )}
        </tbody>
      </table>`
    }
  </section>`;
}

function OneSchedule({ name }) {
  const { data: schedule, problem, load } = usePolled(`/schedules/${pathSegment(name)}`, POLL_MS);
  const [action, setAction] = useState(null);
  const now = useNow(true);
  const may = useAccess();
  const words = schedule ? ["trigger", schedule.paused ? "resume" : "pause"] : [];
  return html`<section class="page schedules">
    <p><a href="schedules">All schedules</a></p>
    <div class="heading">
      <h1>${name}</h1>
      <div class="buttons">
        ${
          may("operate") &&
          words.map(
            (word) => html`<button key=${word} onClick=${() => setAction(word)}>
              ${SCHEDULE_ACTIONS[word].label}
            </button>`,
          )
        }
      </div>
    </div>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!schedule && !problem && html`<p class="loading">Loading …</p>`}
    ${schedule && html`<${ScheduleDetails} schedule=${schedule} now=${now} />`}
    ${
      action &&
      html`<${Confirm}
        title=${SCHEDULE_ACTIONS[action].ask(name)}
        word=${SCHEDULE_ACTIONS[action].label}
        act=${(reason) => runScheduleAction(action, name, reason)}
        onClose=${() => setAction(null)}
        onDone=${() => {
          showNotice(`${name} ${SCHEDULE_ACTIONS[action].done}`);
          load();
        }}
      >
        <p>${SCHEDULE_ACTIONS[action].effect}</p>
      <//>`
    }
  </section>`;
}

function ScheduleDetails({ schedule, now }) {
  return html`
    <p>
      Starts <strong>${schedule.flow}</strong>: <code>${schedule.times}</code>, ${schedule.timezone}.
      ${" "}<${NextTime} schedule=${schedule} now=${now} />
    </p>
    ${schedule.problem && html`<p class="tone-failed">${schedule.problem}</p>`}
    ${
      schedule.running.length > 0 &&
      html`<p>
        Running:
        ${schedule.running.map((id) => html`${" "}<${WorkflowLink} key=${id} id=${id} />`)}
      </p>`
    }
    <h2>Next times</h2>
    ${
      schedule.upcoming.length
        ? html`<ol class="upcoming">
          ${schedule.upcoming.map(
            ({ time, local, due }) => html`<li key=${time}>
              <time datetime=${time}>${local.replace("T", " ")}</time>
              ${due !== time && html`<span class="muted"> starts ${formatDelay(time, due)} later</span>`}
            </li>`,
          )}
        </ol>`
        : html`<p class="muted">There are no further times.</p>`
    }
    <h2>Latest</h2>
    ${
      schedule.outcomes.length
        ? html`<table class="list outcomes">
          <thead><tr><th>Time</th><th>Outcome</th><th>Workflow</th><th>Reason</th></tr></thead>
          <tbody>
            ${schedule.outcomes.map(
              (outcome, index) => html`<tr key=${`${outcome.time} ${index}`}>
                <td>
                  <${Clock} at=${outcome.time} now=${now} />
                  ${outcome.until && html` to <${Clock} at=${outcome.until} now=${now} />`}
                </td>
                <td data-label="Outcome"><${Outcome} outcome=${outcome} /></td>
                <td data-label="Workflow" class="id">
                  ${outcome.workflow ? html`<${WorkflowLink} id=${outcome.workflow} />` : ""}
                </td>
                <td data-label="Reason" class="reason">${outcome.reason ?? ""}</td>
              </tr>`,
            )}
          </tbody>
        </table>`
        : html`<p class="muted">None of its times has come yet.</p>`
    }
  `;
}

function NextTime({ schedule, now }) {
  if (schedule.paused) return html`<span class="tone-terminating">paused: ${schedule.paused}</span>`;
  if (!schedule.next) return "never again";
  const { next } = schedule;
  return html`<time datetime=${next} title=${next}>${formatUntil(next, now)}</time>`;
}

const Outcome = ({ outcome }) => html`<span class=${`tone-${TONES[outcome.outcome] ?? "done"}`}>
  ${outcome.outcome}${outcome.count > 1 ? ` (${outcome.count} times)` : ""}
</span>`;

const WorkflowLink = ({ id }) => html`<a href=${workflowAddress(id)}>${shortenId(id)}</a>`;

const formatDelay = (time, due) => formatDuration(Date.parse(due) - Date.parse(time));

const scheduleAddress = (name) => buildAddress("schedules", { name });
