// What went into a workflow, and what came out.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { get, workflowAt } from "../client/api.js";
import { hasEnded } from "../format/state-labels.js";
import { shortId } from "../state/address.js";
import { Trouble } from "../components/dialog.js";
import { Json } from "../components/json-view.js";

export function ValuesView({ workflow }) {
  const [values, setValues] = useState(null);
  const [problem, setProblem] = useState(null);
  const last = workflow.steps.at(-1).index;
  useEffect(() => {
    // The start's output is the input, the end's output is the output: two small answers instead of all values.
    let isOld = false;
    const hear = (told) => (isOld ? undefined : told());
    Promise.all([workflow.steps[0].index, last].map((index) => get(workflowAt(workflow.id, `/steps/${index}`)))).then(
      ([start, end]) => hear(() => (setValues({ input: start.input ?? start.output, output: end.output }), setProblem(null))),
      (error) => hear(() => setProblem(error)),
    );
    return () => {
      isOld = true;
    };
  }, [workflow.id, workflow.state]);
  return useMemo(() => {
    if (problem) return html`<${Trouble} problem=${problem} />`;
    if (!values) return html`<p class="loading">Loading …</p>`;
    return html`<${Values} values=${values} state=${workflow.state} name=${shortId(workflow.id)} />`;
  }, [values, problem, workflow.state]);
}

const Values = ({ values, state, name }) => html`<div class="values">
  <section><${Json} title="Input" value=${values.input} name=${`${name}-input`} /></section>
  <section>${state === "FINISHED" ? html`<${Json} title="Output" value=${values.output} name=${`${name}-output`} />`
    : html`<h3>Output</h3><p class="muted">${hasEnded(state) ? "It has none: it did not finish. Each step that is done keeps its own." : "Not yet: it is the output of the last step."}</p>`}</section>
</div>`;
