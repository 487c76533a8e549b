// Why a step stands, and what to do, in the words of `lfr why`.

import { html, useEffect, useState } from "../vendor/preact.js";
import { apiPath, getJson } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { isolateBidi } from "../format/text.js";

/** Loads the cause when the step is chosen, and again when what it waits for changes. */
export function StepCause({ workflow, step }) {
  const [cause, setCause] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let isStale = false;
    getJson(apiPath(workflow.id, `/why?step=${step.index}`)).then(
      (response) => isStale || (setCause(response.steps[0]), setProblem(null)),
      (error) => isStale || setProblem(error),
    );
    return () => {
      isStale = true;
    };
  }, [
    workflow.id,
    workflow.state,
    step.index,
    step.state,
    step.attempt,
    step.items?.done,
    step.waits_for?.until,
    step.waits_for?.worker,
  ]);
  if (problem) return html`<${ProblemMessage} problem=${problem} />`;
  if (cause?.index !== step.index) return null;
  return html`<section class="why">
    <h3>Why it stands</h3>
    <p>${isolateBidi(cause.text)}</p>
    ${cause.cure && html`<p class="muted">→ ${isolateBidi(cause.cure)}</p>`}
  </section>`;
}
