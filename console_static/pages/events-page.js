// The page of events: the newest of the stream, dead letters, latches; it can send an event.

import { html, useState } from "../vendor/preact.js";
import { useNow, usePolling } from "../hooks/live.js";
import { Clock } from "../components/indicators.js";
import { resetLatch } from "../client/actions.js";
import { getJson } from "../client/api.js";
import { useAccess } from "../state/access.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";
import { Confirm, ProblemMessage } from "../components/dialog.js";
import { navigate, useRoute } from "../hooks/navigation.js";
import { showNotice } from "../components/notices.js";
import { FilterField } from "../components/filter-field.js";
import { EventDialog } from "../components/event-dialog.js";
import { EventFields } from "../components/event-fields.js";
import { DeadLetters, MAX_LETTERS } from "../views/dead-letters.js";

const POLL_MS = 3000;

export function EventsPage() {
  const { params } = useRoute();
  const [data, setData] = useState(null);
  const [problem, setProblem] = useState(null);
  const may = useAccess();
  const [isSending, setIsSending] = useState(false);
  const [reset, setReset] = useState(null);
  const now = useNow(true);
  const query = buildAddress("", { size: 50, kind: params.kind, workflow: params.workflow });
  const load = usePolling(
    query,
    {
      request: () =>
        Promise.all([
          getJson(`/events${query}`),
          getJson(`/dead-letters?size=${MAX_LETTERS}`),
          getJson("/latches"),
        ]),
      onResponse: ([events, dead, latches]) => {
        setData({ events, dead, latches });
        setProblem(null);
      },
      onProblem: setProblem,
    },
    POLL_MS,
  );
  const setFilters = (changes) => navigate(buildAddress("events", { ...params, ...changes }), true);
  return html`<section class="page events">
    <div class="heading">
      <h1>Events</h1>
      <div class="buttons">
        ${
          may("operate") &&
          html`<button class="primary" onClick=${() => setIsSending(true)}>Send an event</button>`
        }
      </div>
    </div>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${
      !data
        ? !problem && html`<p class="loading">Loading …</p>`
        : html`
          <${DeadLetters} letters=${data.dead} now=${now} onChange=${load} />
          <h2>Latches</h2>
          ${
            data.latches.length
              ? html`<table class="list">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th class="right">Value</th>
                    <th>Waiting steps</th>
                    <th><span class="hidden">Actions</span></th>
                  </tr>
                </thead>
                <tbody>
                  ${data.latches.map(
                    (latch) => html`<tr key=${latch.name}>
                      <td class="name"><strong>${latch.name}</strong></td>
                      <td data-label="Value" class="right number">${latch.value}</td>
                      <td data-label="Waiting">${renderWaiters(latch)}</td>
                      <td class="right">
                        ${
                          may("operate") && (latch.value !== 0 || latch.waiters)
                            ? html`<button onClick=${() => setReset(latch)}>Set to zero</button>`
                            : ""
                        }
                      </td>
                    </tr>`,
                  )}
                </tbody>
              </table>`
              : html`<p class="muted">All latches are at zero, and no step waits for one.</p>`
          }
          <h2>On the stream</h2>
          <p class="muted">
            Tasks that a group of workers does are in its queue: <a href="workers">Workers</a> lists it.
          </p>
          <p class="tools">
            <${FilterField}
              label="Kind"
              hint="Kind, as end-task"
              value=${params.kind}
              onChoose=${(kind) => setFilters({ kind })}
            />
            <${FilterField}
              label="Workflow"
              hint="Workflow's id"
              value=${params.workflow}
              onChoose=${(workflow) => setFilters({ workflow })}
            />
          </p>
          ${
            data.events.length
              ? html`<table class="list">
                <thead><tr><th>Time</th><th>Kind</th><th>Workflow</th><th>Fields</th></tr></thead>
                <tbody>
                  ${data.events.map(
                    (event) => html`<tr key=${event.id}>
                      <td title=${event.id}><${Clock} at=${event.at} now=${now} /></td>
                      <td class="name"><strong>${event.kind ?? "?"}</strong></td>
                      <td class="id">
                        ${event.workflow ? html`<${WorkflowLink} id=${event.workflow} />` : ""}
                      </td>
                      <td><${EventFields} fields=${event.fields} hidden=${IN_COLUMNS} /></td>
                    </tr>`,
                  )}
                </tbody>
              </table>`
              : html`<p class="muted">
                ${
                  params.kind || params.workflow
                    ? "None of the newest events matches."
                    : "None. Processed events are removed."
                }
              </p>`
          }
        `
    }
    ${isSending && html`<${EventDialog} onClose=${() => setIsSending(false)} onDone=${load} />`}
    ${
      reset &&
      html`<${Confirm}
        title=${`Set the latch ${reset.name} to zero?`}
        word="Set to zero"
        danger
        act=${(reason) => resetLatch(reset.name, reason)}
        onClose=${() => setReset(null)}
        onDone=${() => {
          showNotice(`The latch ${reset.name} is at zero`);
          load();
        }}
      >
        <p>All steps that wait for it continue at once, even if the work it counts is not done.</p>
      <//>`
    }
  </section>`;
}

const IN_COLUMNS = new Set(["kind", "at", "apiVersion", "workflow"]);

const WorkflowLink = ({ id }) => html`<a href=${workflowAddress(id)}>${shortenId(id)}</a>`;

function renderWaiters(latch) {
  if (!latch.waiters) return "–";
  const steps = latch.waiting.slice(0, 5);
  return html`
    ${steps.map(
      ({ workflow, index }) => html`
        <a
          key=${`${workflow} ${index}`}
          class="id"
          href=${buildAddress(workflowAddress(workflow), { step: index })}
        >
          ${shortenId(workflow)}
        </a>
        ${" "}
      `,
    )}
    ${latch.waiters > steps.length ? `and ${latch.waiters - steps.length} more` : ""}
  `;
}
