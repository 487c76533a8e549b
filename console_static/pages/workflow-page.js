// The page of one workflow: status, actions, views, and the panel of a step.

import { html, useMemo, useState } from "../vendor/preact.js";
import { useNow } from "../hooks/live.js";
import { apiPath, getJson } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { Ago, Clock, Duration, StateLabel, StepProgress } from "../components/indicators.js";
import { formatBytes } from "../components/json-view.js";
import { showNotice } from "../components/notices.js";
import { CopyButton } from "../components/transfer.js";
import { hasEnded, WORKFLOW_STATES } from "../format/state-labels.js";
import { buildGraph } from "../graph/graph-model.js";
import { Graph } from "../graph/graph.js";
import { useKeys } from "../hooks/keys.js";
import { navigate, useRoute } from "../hooks/navigation.js";
import { useWorkflow } from "../hooks/use-workflow.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";
import { flowAddress } from "../state/flow-runs.js";
import { formatReference, storedFlowAddress } from "../state/stored-flows.js";
import { findStep } from "../state/workflow.js";
import { Timeline } from "../timeline/timeline.js";
import { HistoryView } from "../views/history-view.js";
import { SourceView } from "../views/source-view.js";
import { StatusBanner } from "../views/status-banner.js";
import { StepPanel } from "../views/step-panel.js";
import { StepsView } from "../views/steps-view.js";
import { ValuesView } from "../views/values-view.js";
import { WorkflowActions } from "../views/workflow-actions.js";

const VIEWS = {
  graph: "Graph",
  timeline: "Timeline",
  steps: "Steps",
  values: "Input and output",
  source: "Source",
  history: "History",
};
const NARROW = matchMedia("(max-width: 640px)");

export function WorkflowPage() {
  const { id, params } = useRoute();
  const data = useWorkflow(id);
  const { workflow, problem, refresh } = data;
  if (!workflow || problem?.status === 404) {
    if (!problem) return html`<p class="loading">Loading …</p>`;
    return html`<section class="page">
      <h1>${shortenId(id)}</h1>
      <${ProblemMessage} problem=${problem} />
      <p><a href="./">All workflows</a></p>
    </section>`;
  }
  return html`<${WorkflowDetails} ...${data} key=${workflow.id} params=${params} refresh=${refresh} />`;
}

function WorkflowDetails({ workflow, facts, problem, refresh, params }) {
  const now = useNow(!hasEnded(workflow.state));
  const isLarge = useMemo(() => buildGraph(workflow.flow).tooLarge > 0, [workflow.flow]);
  const isSummary = !workflow.steps.length; // of an item that has finished: its steps were deleted then
  const views = isSummary ? { values: VIEWS.values, source: VIEWS.source } : VIEWS;
  const defaultView = isSummary ? "values" : isLarge || NARROW.matches ? "steps" : "graph";
  const view = Object.hasOwn(views, params.view ?? "") ? params.view : defaultView;
  const chosen = /^\d+$/.test(params.step ?? "") ? Number(params.step) : null;
  const linkTo = (changes) => buildAddress(workflowAddress(workflow.id), { ...params, ...changes });
  const toggleStep = (index) => navigate(linkTo({ step: index === chosen ? "" : index }), true);
  const step = chosen === null ? null : findStep(workflow, chosen);
  const keys = useMemo(() => {
    const keyed = Object.keys(views).map((name, at) => [
      String(at + 1),
      () => navigate(linkTo({ view: name }), true),
    ]);
    return {
      ...Object.fromEntries(keyed),
      Escape: () => chosen !== null && navigate(linkTo({ step: "" }), true),
    };
  }, [workflow.id, params, isSummary]);
  useKeys(keys);

  return html`<section class="page workflow">
    <${Header} workflow=${workflow} now=${now} refresh=${refresh} />
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    <${StatusBanner} workflow=${workflow} now=${now} onChoose=${toggleStep} />
    <nav class="tabs views" aria-label="Views">
      ${Object.entries(views).map(
        ([name, label]) => html`<a
          key=${name}
          href=${linkTo({ view: name })}
          aria-current=${name === view ? "true" : null}
        >
          ${label}
        </a>`,
      )}
    </nav>
    <div class=${`split ${step ? "with-panel" : ""}`}>
      <div class="view">
        ${
          view === "graph"
            ? html`<${GraphView} ...${{ workflow, now, chosen, toggleStep, params, linkTo }} />`
            : view === "timeline"
              ? html`<div class="picture">
                <${Timeline}
                  facts=${facts}
                  flow=${workflow.flow}
                  steps=${workflow.steps}
                  now=${now}
                  chosen=${chosen}
                  onChoose=${toggleStep}
                />
              </div>`
              : view === "steps"
                ? html`<${StepsView}
                  workflow=${workflow}
                  now=${now}
                  chosen=${chosen}
                  onChoose=${toggleStep}
                />`
                : view === "values"
                  ? html`<${ValuesView} workflow=${workflow} />`
                  : view === "source"
                    ? html`<${SourceView} workflow=${workflow} />`
                    : html`<${HistoryView}
                      workflow=${workflow}
                      facts=${facts}
                      now=${now}
                      onChoose=${toggleStep}
                    />`
        }
      </div>
      ${
        step &&
        html`<${StepPanel}
          key=${chosen}
          workflow=${workflow}
          step=${step}
          now=${now}
          onChoose=${toggleStep}
          onClose=${() => toggleStep(chosen)}
          refresh=${refresh}
        />`
      }
    </div>
  </section>`;
}

function Header({ workflow, now, refresh }) {
  const { id, name, version, state, started, ended, parent, counts, deadline } = workflow;
  const reference = version && formatReference(name, version);
  return html`<header class="heading workflow-heading">
    <div>
      ${parent && html`<p class="crumbs"><a href=${workflowAddress(parent)}>${shortenId(parent)}</a> ›</p>`}
      <h1>${name || shortenId(id)} <${StateLabel} state=${state} /></h1>
      <p class="hidden" role="status">${name || shortenId(id)}: ${WORKFLOW_STATES[state]?.label}</p>
      <p class="facts">
        <code class="id">${id}</code> <${CopyButton} text=${id} />
        ${
          reference && html`<span>stored flow <a href=${storedFlowAddress(reference)}>${reference}</a></span>`
        }
        ${name && html`<span><a href=${flowAddress(name)}>all runs of ${name}</a></span>`}
        <span>started <${Ago} at=${started} now=${now} /></span>
        <span>${ended ? "took" : "for"} <${Duration} start=${started} end=${ended} now=${now} /></span>
        ${deadline && !ended && html`<span>deadline <${Clock} at=${deadline} now=${now} /></span>`}
        <${StepProgress} counts=${counts} />
        <${Size} key=${id} id=${id} />
        ${
          workflow.steps.some(({ items, call }) => items || call) &&
          html`<span><a href=${buildAddress("./", { parent: id })}>children that are stored</a></span>`
        }
      </p>
      ${workflow.flow.doc && html`<p class="doc">${workflow.flow.doc}</p>`}
    </div>
    <${WorkflowActions} workflow=${workflow} refresh=${refresh} />
  </header>`;
}

/** How many bytes of Redis the workflow takes: the server counts them when somebody asks. */
function Size({ id }) {
  const [bytes, setBytes] = useState(undefined);
  const count = () =>
    getJson(apiPath(id, "/size")).then(
      (response) => setBytes(response.bytes),
      (problem) => showNotice(problem.message, "failed"),
    );
  if (bytes === null) return html`<span role="status">Redis does not say its size</span>`;
  if (bytes !== undefined) return html`<span role="status">${formatBytes(bytes)} in Redis</span>`;
  return html`<button class="quiet" onClick=${count}>Size in Redis</button>`;
}

function GraphView({ workflow, now, chosen, toggleStep, params, linkTo }) {
  const orientation = ["LR", "TB"].includes(params.dir) ? params.dir : NARROW.matches ? "TB" : "LR";
  const other = orientation === "TB" ? "LR" : "TB";
  return html`<div class="graph-view">
    <div class="picture">
      <${Graph}
        flow=${workflow.flow}
        steps=${workflow.steps}
        orientation=${orientation}
        chosen=${chosen}
        onChoose=${toggleStep}
        now=${now}
        tools=${html`<a class="button" href=${linkTo({ dir: other })}>
          ${orientation === "LR" ? "Top to bottom" : "Left to right"}
        </a>`}
      />
    </div>
  </div>`;
}
