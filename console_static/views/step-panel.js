// The panel of one step: state, actions, waits, children, values, attempts, neighbours.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { runStepAction, STEP_ACTIONS } from "../client/actions.js";
import { formatJson, parseJson } from "../client/exact-json.js";
import { Confirm, ProblemMessage } from "../components/dialog.js";
import { EventDialog } from "../components/event-dialog.js";
import { Clock, Duration, SimulatedMark, StateLabel } from "../components/indicators.js";
import { JsonView } from "../components/json-view.js";
import { showNotice } from "../components/notices.js";
import { isolateBidi } from "../format/text.js";
import { describeReason } from "../format/actors.js";
import { describeMissingWorker } from "../format/workflow-status.js";
import { useStepResource } from "../hooks/use-step-resource.js";
import { useAccess } from "../state/access.js";
import { shortenId, workflowAddress } from "../state/address.js";
import { storedFlowAddress } from "../state/stored-flows.js";
import { findSuccessors, formatStepName } from "../state/workflow.js";
import { StepCause } from "./step-cause.js";
import { StepLog } from "./step-log.js";

const STANDING_STATES = ["RUNNING", "PENDING"];

const STACKED = matchMedia("(max-width: 1000px)"); // the panel stands above the view, perhaps out of sight

export function StepPanel({ workflow, step, now, onChoose, onClose, refresh }) {
  const { response: details, problem } = useStepResource(workflow, step, `/steps/${step.index}`);
  const [isSending, setIsSending] = useState(false);
  const panel = useRef(null);
  useEffect(() => STACKED.matches && panel.current.scrollIntoView({ block: "nearest" }), []);
  const flowStep = workflow.flow.steps[step.index];
  const doc = workflow.flow.docs?.[step.name];
  return html`<aside ref=${panel} class="panel step-panel" aria-label=${`Step ${step.index}`}>
    <div class="heading">
      <h2><span class="muted">${step.index}</span> ${formatStepName(step, flowStep)}</h2>
      <button class="quiet" aria-label="Close" title="Close (Esc)" onClick=${onClose}>×</button>
    </div>
    <p class="facts">
      <${StateLabel} step state=${step.state} />
      ${
        step.started &&
        html`
          <span>started <${Clock} at=${step.started} now=${now} /></span>
          <span>
            ${step.ended ? "took" : "for"} <${Duration} start=${step.started} end=${step.ended} now=${now} />
          </span>
        `
      }
      ${step.tries > 1 && html`<span>attempt ${step.tries}</span>`}
      ${step.simulated && html`<${SimulatedMark} />`}
    </p>
    ${doc && html`<p class="doc">${doc}</p>`}
    ${
      step.reason &&
      html`<p class=${`reason ${step.state === "FAILED" ? "tone-failed" : "tone-terminating"}`}>
        ${details?.reason ?? step.reason}
      </p>`
    }
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${details && html`<${StepActions} workflow=${workflow} step=${details} refresh=${refresh} />`}
    ${
      details?.waits_for &&
      step.state === "RUNNING" &&
      html`<${WaitsFor} step=${details} now=${now} onSend=${() => setIsSending(true)} />`
    }
    ${
      workflow.state === "RUNNING" &&
      STANDING_STATES.includes(step.state) &&
      html`<${StepCause} workflow=${workflow} step=${step} />`
    }
    ${
      isSending &&
      html`<${EventDialog}
        waitingStep=${{ id: workflow.id, index: step.index }}
        onClose=${() => setIsSending(false)}
      />`
    }
    <${StepLog} key=${`${workflow.id} ${step.index}`} workflow=${workflow} step=${step} />
    ${step.progress && html`<${ProgressLine} progress=${step.progress} />`}
    ${(step.items ?? details?.items) && html`<${Items} items=${step.items ?? details.items} />`}
    ${(step.call ?? details?.call) && html`<${Call} call=${step.call ?? details.call} />`}
    <dl class="about">
      ${step.base && step.base !== step.name && html`<dt>Task</dt><dd><code>${step.base}</code></dd>`}
      ${flowStep.guard && html`<dt>Guard</dt><dd><code>${flowStep.guard}</code></dd>`}
      ${flowStep.iterate && html`<dt>Iterated</dt><dd>once for each item of its input</dd>`}
      ${flowStep.merge && html`<dt>Merge</dt><dd>its inputs are merged into one object</dd>`}
    </dl>
    ${
      !details
        ? !problem && html`<p class="loading">Loading …</p>`
        : html`
          ${
            details.parameters !== null &&
            html`<${Value} name="Parameters" value=${details.parameters} step=${step} workflow=${workflow} />`
          }
          ${
            step.state !== "PENDING" &&
            html`<${Value} name="Input" value=${details.input} step=${step} workflow=${workflow} />`
          }
          ${
            (step.state === "DONE" || step.state === "SKIPPED") &&
            html`<${Value} name="Output" value=${details.output} step=${step} workflow=${workflow} />`
          }
          <${Attempts} attempts=${details.attempts} now=${now} />
        `
    }
    <${Neighbours} workflow=${workflow} index=${step.index} onChoose=${onChoose} />
  </aside>`;
}

/** A value of the step. It may be large, so it is rendered again only if it has changed. */
function Value({ name, value, step, workflow }) {
  const file = `${shortenId(workflow.id).replaceAll("/", "-")}-${step.index}-${name.toLowerCase()}`;
  return useMemo(
    () => html`<section><${JsonView} title=${name} value=${value} name=${file} /></section>`,
    [name, value, file],
  );
}

const ProgressLine = ({ progress }) => html`<p>
  <progress max="1" value=${progress.fraction} /> ${progress.text}
</p>`;

function WaitsFor({ step, now, onSend }) {
  const may = useAccess();
  const { event, match, latch, until, worker } = step.waits_for;
  const hasMatch = match && Object.keys(match).length > 0;
  return html`<section>
    <h3>${worker || event || latch ? "Waits for" : "Waits until"}</h3>
    ${
      worker &&
      html`<p class="tone-terminating">a worker: ${describeMissingWorker(step.waits_for, now)}</p>
        <p><a href="workers">Workers</a> shows who does which task.</p>`
    }
    ${
      event &&
      html`<p>
        an event <a href=${`events?kind=${encodeURIComponent(event)}`}>${event}</a>
        ${may("operate") && html`<button class="quiet" onClick=${onSend}>Send it</button>`}
      </p>`
    }
    ${hasMatch && html`<${JsonView} title="with" value=${match} name="match" />`}
    ${latch && html`<p>the <a href="events">latch ${latch}</a> to be at zero</p>`}
    ${until && html`<p>${event || latch ? "at the most until " : ""}<${Clock} at=${until} now=${now} /></p>`}
  </section>`;
}

const Items = ({ items }) => html`<section>
  <h3>Items</h3>
  <p>
    ${items.done} of ${items.total ?? "?"} done${items.running ? `, ${items.running} running` : ""}
    ${items.failed ? html`, <span class="tone-failed">${items.failed} failed</span>` : ""}
  </p>
  ${
    items.open?.length > 0 &&
    html`<ul class="items">
      ${items.open.map(
        ({ id, state }) => html`<li key=${id}>
          <${StateLabel} step state=${state} />
          ${" "}
          <a href=${workflowAddress(id)}>item ${id.slice(id.lastIndexOf(".") + 1)}</a>
        </li>`,
      )}
    </ul>`
  }
  ${
    items.latest?.length > 0 &&
    html`<p>
      Done last, with input and output:
      ${items.latest.map((id) => [
        " ",
        html`<a key=${id} href=${workflowAddress(id)}>item ${id.slice(id.lastIndexOf(".") + 1)}</a>`,
      ])}
    </p>`
  }
</section>`;

/** The stored flow that the step calls, and its child; without an id, that has not begun or has succeeded. */
const Call = ({ call }) => html`<section>
  <h3>Calls</h3>
  <p>
    the stored flow <a href=${storedFlowAddress(call.flow)}>${call.flow}</a>
    ${call.version ? `, version ${call.version}` : ""}
  </p>
  ${
    call.id &&
    html`<p>
      <${StateLabel} state=${call.state} />
      ${" "}
      <a href=${workflowAddress(call.id)}>${shortenId(call.id)}</a>
    </p>`
  }
</section>`;

const Attempts = ({ attempts, now }) =>
  attempts.length > 2 &&
  html`<section>
    <h3>Attempts</h3>
    <ul class="attempts">
      ${attempts.slice(-50).map(
        (fact) => html`<li>
          <${Clock} at=${fact.at} now=${now} /> ${fact.event}
          ${" "}
          ${fact.simulated ? "(simulated)" : ""}
          ${" "}
          ${fact.attempt > 1 || fact.event === "retried" ? `(attempt ${fact.attempt})` : ""}
          ${" "}
          ${describeReason(fact) && html`<span class="muted">${describeReason(fact)}</span>`}
        </li>`,
      )}
    </ul>
  </section>`;

function Neighbours({ workflow, index, onChoose }) {
  const name = (at) => formatStepName(workflow.flow.steps[at], workflow.flow.steps[at]);
  const list = (steps) =>
    steps
      .slice(0, 12)
      .map(
        (at) => html`<button key=${at} class="link" onClick=${() => onChoose(at)}>${at} ${name(at)}</button>`,
      );
  const before = workflow.flow.edges.filter(([, to]) => to === index).map(([from]) => from);
  const after = workflow.flow.edges.filter(([from]) => from === index).map(([, to]) => to);
  return html`<dl class="about">
    ${
      before.length > 0 &&
      html`
        <dt>After</dt>
        <dd>${list(before)}${before.length > 12 ? ` and ${before.length - 12} more` : ""}</dd>
      `
    }
    ${
      after.length > 0 &&
      html`<dt>Before</dt><dd>${list(after)}${after.length > 12 ? ` and ${after.length - 12} more` : ""}</dd>`
    }
  </dl>`;
}

/** The actions on a step, each with its dialog. */
function StepActions({ workflow, step, refresh }) {
  const may = useAccess();
  const [action, setAction] = useState(null);
  const [text, setText] = useState("");
  const permitted = Object.keys(STEP_ACTIONS).filter((word) => step.actions[word] === null);
  if ((!permitted.length && !action) || !may("operate")) return null; // an open dialog stays open
  const name = `step ${step.index}, ${isolateBidi(formatStepName(step))}`;
  const open = (word) => {
    setText(word === "fail" ? "failed by hand" : "");
    setAction(word);
  };
  const buildBody = (reason) => {
    if (action === "fail") return { reason: text };
    return { ...(reason && { reason }), ...(text.trim() && { output: parseJson(text) }) };
  };
  return html`<div class="buttons">
    ${permitted.map(
      (word) => html`<button key=${word} title=${STEP_ACTIONS[word].effect} onClick=${() => open(word)}>
        ${STEP_ACTIONS[word].label}
      </button>`,
    )}
    ${
      action &&
      html`<${Confirm}
        title=${`${STEP_ACTIONS[action].label} ${name}?`}
        word=${STEP_ACTIONS[action].label}
        danger=${STEP_ACTIONS[action].danger}
        asksReason=${action !== "fail"}
        act=${async (reason) => runStepAction(action, workflow.id, step.index, buildBody(reason))}
        onDone=${() => {
          showNotice(`${name} ${STEP_ACTIONS[action].done}`);
          refresh();
        }}
        onClose=${() => setAction(null)}
      >
        <p>${STEP_ACTIONS[action].effect}</p>
        ${
          action === "skip" &&
          html`<label>
            Output, as JSON${" "}
            <textarea
              rows="5"
              spellcheck=${false}
              placeholder=${formatJson(step.input).slice(0, 500)}
              value=${text}
              onInput=${(event) => setText(event.target.value)}
            />
          </label>`
        }
        ${
          action === "fail" &&
          html`<label>
            Reason${" "}<input value=${text} onInput=${(event) => setText(event.target.value)} />
          </label>`
        }
        ${action !== "fail" && html`<p class="muted">${describeSuccessors(workflow, step.index)}</p>`}
      <//>`
    }
  </div>`;
}

/** Return a sentence with the tasks after a step. */
function describeSuccessors(workflow, index) {
  const tasks = findSuccessors(workflow.flow, index).filter((at) => workflow.flow.steps[at].kind === "task");
  if (!tasks.length) return "No task follows.";
  const names = tasks
    .slice(0, 8)
    .map((at) => `${at} ${isolateBidi(workflow.flow.steps[at].name)}`)
    .join(", ");
  return `Next tasks: ${names}${tasks.length > 8 ? ` and ${tasks.length - 8} more` : ""}.`;
}
