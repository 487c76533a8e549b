// What can be done to one step by hand: tried again, skipped, failed.

import { html, useState } from "../vendor/preact.js";
import { send, workflowAt } from "../client/api.js";
import { readJson, writeJson } from "../client/exact-json.js";
import { following, stepName } from "../state/workflow.js";
import { isolated } from "../format/bidi.js";
import { Confirm } from "../components/dialog.js";
import { say } from "../components/notices.js";

const WORDS = {
  retry: { label: "Retry", means: "Its task starts anew. What the worker of the present attempt answers counts no more.", said: "is tried again" },
  skip: { label: "Skip", means: "The workflow goes on as if its task had ended with this output. Leave it empty to take its input.", said: "is skipped", danger: true },
  fail: { label: "Fail", means: "Its task counts as failed, without another attempt, and so does the workflow.", said: "has failed", danger: true },
};

export function StepActions({ workflow, step, refresh }) {
  const [asked, setAsked] = useState(null);
  const [text, setText] = useState("");
  const possible = Object.keys(WORDS).filter((word) => step.actions[word] === null);
  if (!possible.length && !asked) return null; // what is asked stays until it is answered
  const name = `step ${step.index}, ${isolated(stepName(step))}`;
  const ask = (word) => {
    setText(word === "fail" ? "failed by hand" : "");
    setAsked(word);
  };
  const body = () => {
    if (asked === "fail") return { reason: text };
    return asked === "skip" && text.trim() ? { output: readJson(text) } : asked === "skip" ? {} : undefined;
  };
  return html`<div class="buttons">
    ${possible.map((word) => html`<button key=${word} title=${WORDS[word].means} onClick=${() => ask(word)}>${WORDS[word].label}</button>`)}
    ${asked && html`<${Confirm} title=${`${WORDS[asked].label} ${name}?`} word=${WORDS[asked].label} danger=${WORDS[asked].danger}
      act=${async () => send("POST", workflowAt(workflow.id, `/steps/${step.index}/${asked}`), body())}
      onDone=${() => { say(`${name} ${WORDS[asked].said}`); refresh(); }} onClose=${() => setAsked(null)}>
      <p>${WORDS[asked].means}</p>
      ${asked === "skip" && html`<label>Output, as JSON <textarea rows="5" spellcheck=${false} placeholder=${writeJson(step.input).slice(0, 500)} value=${text} onInput=${(event) => setText(event.target.value)} /></label>`}
      ${asked === "fail" && html`<label>Reason <input value=${text} onInput=${(event) => setText(event.target.value)} /></label>`}
      ${asked !== "fail" && html`<p class="muted">${scope(workflow, step.index)}</p>`}<//>`}
  </div>`;
}

/** Which steps come afterwards. */
function scope(workflow, index) {
  const after = following(workflow.flow, index).filter((at) => workflow.flow.steps[at].kind === "task");
  if (!after.length) return "No task comes after it.";
  const told = after.slice(0, 8).map((at) => `${at} ${isolated(workflow.flow.steps[at].name)}`).join(", ");
  return `After it come: ${told}${after.length > 8 ? ` and ${after.length - 8} more` : ""}.`;
}
