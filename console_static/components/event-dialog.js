// The dialog that sends an event.

import { html, useEffect, useState } from "../vendor/preact.js";
import { getJson, sendJson, apiPath } from "../client/api.js";
import { parseJson, formatJson } from "../client/exact-json.js";
import { Dialog, ProblemMessage } from "./dialog.js";
import { showNotice } from "./notices.js";

/**
 * The dialog that sends an event, then calls `onClose` and `onDone`. `waitingStep`, if any: workflow id and
 * index of a step that waits for an event; the dialog fills in its kind and match.
 */
export function EventDialog({ waitingStep, onClose, onDone }) {
  const [kind, setKind] = useState("");
  const [data, setData] = useState("{}");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (!waitingStep) return;
    getJson(apiPath(waitingStep.id, `/steps/${waitingStep.index}`)).then((step) => {
      setKind(step.waits_for?.event ?? "");
      setData(formatJson({ ...step.waits_for?.match, output: {} }));
    }, setProblem);
  }, []);
  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await sendJson("POST", "/events", { kind: kind.trim(), data: parseJson(data.trim() || "{}") });
      showNotice(`The event ${kind.trim()} is sent`);
      onClose();
      onDone?.();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  return html`<${Dialog} title="Send an event" onClose=${onClose}>
    <form class="fields" onSubmit=${submit}>
      <label>
        Kind${" "}
        <input
          value=${kind}
          required
          spellcheck=${false}
          placeholder="order-paid"
          onInput=${(event) => setKind(event.target.value)}
        />
      </label>
      <label>
        Fields, as a JSON object${" "}
        <textarea
          rows="6"
          spellcheck=${false}
          value=${data}
          onInput=${(event) => setData(event.target.value)}
        />
      </label>
      ${
        waitingStep &&
        html`<p class="muted">The value of <code>output</code> becomes a part of the step's output.</p>`
      }
      ${problem && html`<${ProblemMessage} problem=${problem} />`}
      <div class="buttons">
        <button type="button" onClick=${onClose}>Cancel</button>
        <button class="primary" aria-disabled=${busy ? "true" : null}>Send</button>
      </div>
    </form>
  <//>`;
}
