// The page of tasks and workers: who does each task, how fast, what waits; what nobody does, first.

import { html, useRef, useState } from "../vendor/preact.js";
import { getJson } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { Ago } from "../components/indicators.js";
import { asSentence } from "../format/text.js";
import { formatDuration } from "../format/times.js";
import { useNow, usePolling } from "../hooks/live.js";
import { useInstallation } from "../state/installation.js";
import { addSample, measureRate } from "../state/task-rates.js";
import { Groups } from "../views/groups.js";

const POLL_MS = 3000;
const MAX_WARNINGS = 5;

export function WorkersPage() {
  const { system } = useInstallation();
  const [tasks, setTasks] = useState(null);
  const [problem, setProblem] = useState(null);
  const samples = useRef([]);
  const now = useNow(true);
  usePolling(
    "",
    {
      request: () => getJson("/tasks"),
      onResponse: (response) => {
        samples.current = addSample(samples.current, response, Date.now());
        setTasks(response);
        setProblem(null);
      },
      onProblem: setProblem,
    },
    POLL_MS,
  );
  const warnings = tasks?.map(({ warning }) => warning).filter(Boolean) ?? [];
  const groups = system?.groups.filter(({ kind }) => kind === "workers") ?? [];
  return html`<section class="page workers">
    <h1>Workers</h1>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!tasks && !problem && html`<p class="loading">Loading …</p>`}
    ${warnings
      .slice(0, MAX_WARNINGS)
      .map((text) => html`<p key=${text} class="alarm tone-terminating">${asSentence(text)}</p>`)}
    ${
      warnings.length > MAX_WARNINGS &&
      html`<p class="muted">and ${warnings.length - MAX_WARNINGS} more tasks that nobody does</p>`
    }
    <h2>Tasks</h2>
    ${
      tasks &&
      (tasks.length
        ? html`<${TaskTable} tasks=${tasks} samples=${samples.current} now=${now} />`
        : html`<p class="empty">Nobody does a task yet. <code>lfr tasks FILE</code> runs a worker.</p>`)
    }
    <h2>Groups of workers</h2>
    ${
      system &&
      html`<${Groups}
        groups=${groups}
        empty="No worker has claimed a task yet. lfr tasks FILE starts one."
      />`
    }
  </section>`;
}

const TaskTable = ({ tasks, samples, now }) => html`<table class="list tasks">
  <thead>
    <tr>
      <th>Task</th>
      <th>Done by</th>
      <th class="right">Waiting</th>
      <th class="right">Ended</th>
      <th class="right">Failed</th>
      <th class="right">Per minute</th>
      <th class="right">Median</th>
      <th>Last done</th>
    </tr>
  </thead>
  <tbody>
    ${tasks.map(
      (task) => html`<tr key=${task.task}>
        <td class="name"><strong>${task.task}</strong></td>
        <td data-label="Done by"><${Doer} task=${task} now=${now} /></td>
        <td data-label="Waiting" class="right number">${renderWaiting(task)}</td>
        <td data-label="Ended" class="right number">${number(task.ended)}</td>
        <td data-label="Failed" class="right number">
          ${task.failed ? html`<span class="tone-failed">${number(task.failed)}</span>` : ""}
        </td>
        <td data-label="Per minute" class="right number">${formatRate(measureRate(samples, task.task))}</td>
        <td data-label="Median" class="right number">
          ${task.median === null ? "" : formatDuration(1000 * task.median)}
        </td>
        <td data-label="Last done">${renderLast(task, now)}</td>
      </tr>`,
    )}
  </tbody>
</table>`;

/** Who does a task, with the live processes. */
function Doer({ task, now }) {
  if (task.kind === "foreign") return html`<span class="muted">foreign workers</span>`;
  if (task.problem !== null) return html`<span class=${task.waiting ? "tone-failed" : "muted"}>nobody</span>`;
  if (!task.process_count) return html`<span class="muted">simulated, or others</span>`;
  const hidden = task.process_count - task.processes.length;
  return html`<details class="processes">
    <summary>
      ${task.group ?? "wait"}, ${task.process_count} ${task.process_count === 1 ? "process" : "processes"}
    </summary>
    <ul>
      ${task.processes.map(
        (process) => html`<li key=${`${process.host} ${process.pid}`}>
          ${process.name} on ${process.host}, process ${process.pid}, since${" "}
          <${Ago} at=${process.since} now=${now} />
        </li>`,
      )}
      ${hidden > 0 && html`<li>and ${hidden} more</li>`}
    </ul>
  </details>`;
}

function renderWaiting({ waiting, oldest, shares_queue: isShared }) {
  if (!waiting) return "";
  const age = oldest === null ? "" : `, the oldest for ${formatDuration(1000 * oldest)}`;
  const title = isShared ? "In the queue of the group, which has all of its tasks" : "";
  return html`<span title=${title}>${number(waiting)}${isShared ? " in the queue" : ""}${age}</span>`;
}

function renderLast({ last, never, group }, now) {
  if (never) return "never";
  if (!last) return "";
  const by = last.by !== null && last.by !== group ? ` by ${last.by}` : "";
  return html`<${Ago} at=${last.at} now=${now} />${by}`;
}

const formatRate = (rate) => (rate ? (rate < 10 ? rate.toFixed(1) : number(Math.round(rate))) : "");
const number = (value) => (value ? value.toLocaleString("en") : "");
