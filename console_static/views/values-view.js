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
  const last = workflow.steps.at(-1).index;
  useEffect(() => {
    // The first and the last step have the workflow's input and output, in two small responses.
    let isStale = false;
    const ifCurrent = (apply) => (isStale ? undefined : apply());
    Promise.all(
      [workflow.steps[0].index, last].map((index) => getJson(apiPath(workflow.id, `/steps/${index}`))),
    ).then(
      ([start, end]) =>
        ifCurrent(
          () => (setValues({ input: start.input ?? start.output, output: end.output }), setProblem(null)),
        ),
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
