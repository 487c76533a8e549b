// The input and output of a workflow.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { getJson, apiPath } from "../client/api.js";
import { hasEnded } from "../format/state-labels.js";
import { shortenId } from "../state/address.js";
import { ProblemMessage } from "../components/dialog.js";
import { JsonView } from "../components/json-view.js";

export function ValuesView({ workflow }) {
  const [values, setValues] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let isStale = false;
    const ifCurrent = (apply) => (isStale ? undefined : apply());
    loadValues(workflow).then(
      ({ input, output }) => ifCurrent(() => (setValues({ input, output }), setProblem(null))),
      (error) => ifCurrent(() => setProblem(error)),
    );
    return () => {
      isStale = true;
    };
  }, [workflow.id, workflow.state]);
  return useMemo(() => {
    if (problem) return html`<${ProblemMessage} problem=${problem} />`;
    if (!values) return html`<p class="loading">Loading …</p>`;
    return html`<${Values} values=${values} state=${workflow.state} name=${shortenId(workflow.id)} />`;
  }, [values, problem, workflow.state]);
}

/** The first and the last step have the workflow's input and output, in two small responses. */
async function loadValues({ id, steps }) {
  if (!steps.length) return getJson(apiPath(id, "")); // an item that has finished
  const indices = [steps[0].index, steps.at(-1).index];
  const [start, end] = await Promise.all(indices.map((index) => getJson(apiPath(id, `/steps/${index}`))));
  return { input: start.input ?? start.output, output: end.output };
}

const Values = ({ values, state, name }) => html`<div class="values">
  <h2 class="hidden">Input and output</h2>
  <section><${JsonView} title="Input" value=${values.input} name=${`${name}-input`} /></section>
  <section>
    ${
      state === "FINISHED"
        ? html`<${JsonView} title="Output" value=${values.output} name=${`${name}-output`} />`
        : html`
          <h3>Output</h3>
          <p class="muted">
            ${
              hasEnded(state)
                ? "The workflow did not finish, so it has no output. Its completed steps have outputs."
                : "Not yet: it is the output of the last step."
            }
          </p>
        `
    }
  </section>
</div>`;
