// Why a step stands, and what to do, in the words of `lfr why`.

import { html } from "../vendor/preact.js";
import { ProblemMessage } from "../components/dialog.js";
import { asSentence, isolateBidi } from "../format/text.js";
import { useStepResource } from "../hooks/use-step-resource.js";

export function StepCause({ workflow, step }) {
  const { response, problem } = useStepResource(workflow, step, `/why?step=${step.index}`);
  const cause = response?.steps[0];
  if (problem) return html`<${ProblemMessage} problem=${problem} />`;
  if (cause?.index !== step.index) return null;
  return html`<section class="why">
    <h3>Why it stands</h3>
    <p>${isolateBidi(asSentence(cause.text))}</p>
    ${cause.cure && html`<p class="muted">→ ${isolateBidi(cause.cure)}</p>`}
  </section>`;
}
