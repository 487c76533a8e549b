// The page of one flow: its runs beside each other, how they ended, its schedules, its versions.

import { html, useState } from "../vendor/preact.js";
import { getJson, pathSegment } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { Ago, Duration, StateLabel } from "../components/indicators.js";
import { formatUntil } from "../format/times.js";
import { useNow, usePolling } from "../hooks/live.js";
import { useRoute } from "../hooks/navigation.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";
import { compareAddress, describeStatistics, findPartner, flowAddress } from "../state/flow-runs.js";
import { storedFlowAddress } from "../state/stored-flows.js";
import { FlowVersions } from "../views/flow-versions.js";
import { RunGrid } from "../views/run-grid.js";

const POLL_MS = 5000;
const COUNT = matchMedia("(max-width: 800px)").matches ? 8 : 30; // runs that have room beside each other

export function FlowPage() {
  const { id: name, params } = useRoute();
  const { described, flow, schedules, problem } = useFlow(name, params.next ?? "");
  const now = useNow(true);
  return html`<section class="page flow">
    <div class="heading">
      <h1>${name}</h1>
      <div class="buttons">
        <a class="button" href=${buildAddress("./", { name })}>All its workflows</a>
        ${flow && html`<a class="button primary" href=${storedFlowAddress(name)}>Start it</a>`}
      </div>
    </div>
    ${flow?.doc && html`<p class="doc">${flow.doc}</p>`}
    ${schedules.map(
      (schedule) => html`<${NextStart} key=${schedule.name} schedule=${schedule} now=${now} />`,
    )}
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!described && !problem && html`<p class="loading">Loading …</p>`}
    ${
      described &&
      (described.runs.length
        ? html`<h2>${params.next ? "Earlier runs" : "Latest runs"}</h2>
            <p class="muted">${describeStatistics(described.statistics)}</p>
            <${RunGrid} described=${described} now=${now} />
            <${RunTable} runs=${described.runs} now=${now} />
            <nav class="pager" aria-label="Pages of runs">
              ${params.next && html`<a class="button" href=${flowAddress(name)}>Newest</a>`}
              ${
                described.next &&
                html`<a
                  class="button"
                  href=${buildAddress(flowAddress(name), { next: described.next })}
                >
                  Older
                </a>`
              }
            </nav>`
        : html`<div class="empty">
            <h2>It has no runs</h2>
            <p>No workflow of the flow ${name} is here.</p>
          </div>`)
    }
    ${flow && html`<h2>Versions</h2><${FlowVersions} flow=${flow} now=${now} />`}
  </section>`;
}

const NextStart = ({ schedule, now }) => html`<p>
  Schedule <a href=${buildAddress("schedules", { name: schedule.name })}>${schedule.name}</a>:${" "}
  ${
    schedule.paused
      ? html`<span class="tone-terminating">paused</span>`
      : schedule.next
        ? html`next <time datetime=${schedule.next}>${formatUntil(schedule.next, now)}</time>`
        : "no further time"
  }
</p>`;

const RunTable = ({ runs, now }) => html`<table class="list runs">
  <thead>
    <tr>
      <th>State</th><th>Run</th><th>Started</th><th class="right">Duration</th>
      <th class="right">Version</th><th>Reason</th><th>Compare</th>
    </tr>
  </thead>
  <tbody>
    ${runs.map((run, position) => {
      const partner = findPartner(runs, position);
      return html`<tr key=${run.id}>
        <td><${StateLabel} state=${run.state} /></td>
        <td class="name"><a class="row-link" href=${workflowAddress(run.id)}>${shortenId(run.id)}</a></td>
        <td data-label="Started"><${Ago} at=${run.started} now=${now} /></td>
        <td data-label="Duration" class="right">
          <${Duration} start=${run.started} end=${run.ended} now=${now} />
        </td>
        <td data-label="Version" class="right number">${run.version ?? "–"}</td>
        <td class="now">${run.reason && html`<span class="tone-failed reason">${run.reason}</span>`}</td>
        <td>
          ${
            partner &&
            html`<a
              href=${compareAddress(partner.id, run.id)}
              aria-label=${`Compare ${shortenId(run.id)} with ${shortenId(partner.id)}`}
            >
              ${partner.state === "FINISHED" ? "with the last that finished" : "with the one before"}
            </a>`
          }
        </td>
      </tr>`;
    })}
  </tbody>
</table>`;

/** Return the runs (`described`), the stored `flow` (null: none), its `schedules`, and the `problem`. */
function useFlow(name, next) {
  const [state, setState] = useState({ described: null, flow: null, schedules: [], problem: null });
  const path = `/flows/${pathSegment(name)}`;
  const request = async () => {
    const [described, schedules] = await Promise.all([
      getJson(`${path}/runs${buildAddress("", { size: COUNT, next })}`),
      getJson("/schedules"),
    ]);
    const flow = described.version === null ? null : await getJson(path);
    return { described, flow, schedules: schedules.filter((each) => each.flow === name), problem: null };
  };
  usePolling(
    `${path} ${next}`,
    {
      request,
      onResponse: setState,
      onProblem: (problem) => setState((previous) => ({ ...previous, problem })),
    },
    POLL_MS,
  );
  return state;
}
