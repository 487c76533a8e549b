// One workflow: what it is at now, its graph, timeline, steps, values, source, history; what can be done to it.

import { html, useMemo } from "../vendor/preact.js";
import { address, shortId, workflowPath } from "../state/address.js";
import { WORKFLOW_STATES, hasEnded } from "../format/state-labels.js";
import { makeGraph } from "../graph/graph-model.js";
import { stepAt } from "../state/workflow.js";
import { Copy } from "../components/copy-button.js";
import { Progress } from "../components/step-progress.js";
import { Trouble } from "../components/dialog.js";
import { Graph } from "../graph/graph.js";
import { HistoryView } from "../views/history-view.js";
import { useKeys } from "../hooks/keys.js";
import { go, useRoute } from "../hooks/navigation.js";
import { Ago, Duration, useNow } from "../hooks/now.js";
import { SourceView } from "../views/source-view.js";
import { State } from "../components/state-label.js";
import { StepPanel } from "../views/step-panel.js";
import { StepsView } from "../views/steps-view.js";
import { Timeline } from "../timeline/timeline.js";
import { ValuesView } from "../views/values-view.js";
import { WhatNow } from "../views/status-banner.js";
import { WorkflowActions } from "../views/workflow-actions.js";
import { useWorkflow } from "../hooks/use-workflow.js";

const VIEWS = { graph: "Graph", timeline: "Timeline", steps: "Steps", values: "Input and output", source: "Source", history: "History" };
const NARROW = matchMedia("(max-width: 640px)");

export function WorkflowPage() {
  const { id, params } = useRoute();
  const data = useWorkflow(id);
  const { workflow, problem, refresh } = data;
  if (!workflow || problem?.status === 404) {
    if (!problem) return html`<p class="loading">Loading …</p>`;
    return html`<section class="page"><h1>${shortId(id)}</h1><${Trouble} problem=${problem} /><p><a href="/">All workflows</a></p></section>`;
  }
  return html`<${Shown} ...${data} key=${workflow.id} params=${params} refresh=${refresh} />`;
}

function Shown({ workflow, facts, problem, refresh, params }) {
  const now = useNow(!hasEnded(workflow.state));
  const isLarge = useMemo(() => makeGraph(workflow.flow).tooLarge > 0, [workflow.flow]);
  const first = isLarge || NARROW.matches ? "steps" : "graph"; // the graph itself says what it is too large for
  const view = Object.hasOwn(VIEWS, params.view ?? "") ? params.view : first;
  const chosen = /^\d+$/.test(params.step ?? "") ? Number(params.step) : null;
  const show = (changes) => address(workflowPath(workflow.id), { ...params, ...changes });
  const choose = (index) => go(show({ step: index === chosen ? "" : index }), true);
  const step = chosen === null ? null : stepAt(workflow, chosen);
  const keys = useMemo(() => {
    const views = Object.keys(VIEWS).map((name, at) => [String(at + 1), () => go(show({ view: name }), true)]);
    return { ...Object.fromEntries(views), Escape: () => chosen !== null && go(show({ step: "" }), true) };
  }, [workflow.id, params]);
  useKeys(keys);

  return html`<section class="page workflow">
    <${Header} workflow=${workflow} now=${now} refresh=${refresh} />
    ${problem && html`<${Trouble} problem=${problem} />`}
    <${WhatNow} workflow=${workflow} now=${now} onChoose=${choose} />
    <nav class="tabs views" aria-label="Views">${Object.entries(VIEWS).map(([name, label]) => html`
      <a key=${name} href=${show({ view: name })} aria-current=${name === view ? "true" : null}>${label}</a>`)}</nav>
    <div class=${`split ${step ? "with-panel" : ""}`}>
      <div class="view">${view === "graph" ? html`<${GraphView} ...${{ workflow, now, chosen, choose, params, show }} />`
        : view === "timeline" ? html`<div class="picture"><${Timeline} facts=${facts} flow=${workflow.flow} steps=${workflow.steps} now=${now} chosen=${chosen} onChoose=${choose} /></div>`
        : view === "steps" ? html`<${StepsView} workflow=${workflow} now=${now} chosen=${chosen} onChoose=${choose} />`
        : view === "values" ? html`<${ValuesView} workflow=${workflow} />`
        : view === "source" ? html`<${SourceView} workflow=${workflow} />`
        : html`<${HistoryView} workflow=${workflow} facts=${facts} now=${now} onChoose=${choose} />`}</div>
      ${step && html`<${StepPanel} key=${chosen} workflow=${workflow} step=${step} now=${now} onChoose=${choose} onClose=${() => choose(chosen)} refresh=${refresh} />`}
    </div>
  </section>`;
}

function Header({ workflow, now, refresh }) {
  const { id, name, state, started, ended, parent, counts } = workflow;
  return html`<header class="heading workflow-heading">
    <div>
      ${parent && html`<p class="crumbs"><a href=${workflowPath(parent)}>${shortId(parent)}</a> ›</p>`}
      <h1>${name || shortId(id)} <${State} state=${state} /></h1>
      <p class="hidden" role="status">${name || shortId(id)}: ${WORKFLOW_STATES[state]?.label}</p>
      <p class="facts"><code class="id">${id}</code> <${Copy} text=${id} />
        <span>started <${Ago} at=${started} now=${now} /></span>
        <span>${ended ? "took" : "for"} <${Duration} start=${started} end=${ended} now=${now} /></span>
        <${Progress} counts=${counts} /></p>
      ${workflow.flow.doc && html`<p class="doc">${workflow.flow.doc}</p>`}
    </div>
    <${WorkflowActions} workflow=${workflow} refresh=${refresh} />
  </header>`;
}

function GraphView({ workflow, now, chosen, choose, params, show }) {
  const orientation = ["LR", "TB"].includes(params.dir) ? params.dir : NARROW.matches ? "TB" : "LR";
  const other = orientation === "TB" ? "LR" : "TB";
  return html`<div class="graph-view">
    <p class="tools"><a class="button" href=${show({ dir: other })}>${orientation === "LR" ? "Top to bottom" : "Left to right"}</a></p>
    <div class="picture"><${Graph} flow=${workflow.flow} steps=${workflow.steps} orientation=${orientation} chosen=${chosen} onChoose=${choose} now=${now} /></div>
  </div>`;
}
