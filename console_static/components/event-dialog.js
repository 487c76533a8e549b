// Appending an event by hand: of any kind, or the one that a step waits for.

import { html, useEffect, useState } from "../vendor/preact.js";
import { get, send, workflowAt } from "../client/api.js";
import { readJson, writeJson } from "../client/exact-json.js";
import { Dialog, Trouble } from "./dialog.js";
import { say } from "./notices.js";

/** `waitOf`: {id, step} of a step that waits for an event; its kind and what it must match are filled in. */
export function SendEvent({ waitOf, onClose, onDone }) {
  const [kind, setKind] = useState("");
  const [data, setData] = useState("{}");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (!waitOf) return;
    get(workflowAt(waitOf.id, `/steps/${waitOf.step}`)).then((step) => {
      setKind(step.waits_for?.event ?? "");
      setData(writeJson({ ...step.waits_for?.match, output: {} }));
    }, setProblem);
  }, []);
  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await send("POST", "/events", { kind: kind.trim(), data: readJson(data.trim() || "{}") });
      say(`An event ${kind.trim()} is sent`);
      onClose();
      onDone?.();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  return html`<${Dialog} title="Send an event" onClose=${onClose}>
    <form class="fields" onSubmit=${submit}>
      <label>Kind <input value=${kind} required spellcheck=${false} placeholder="order-paid" onInput=${(event) => setKind(event.target.value)} /></label>
      <label>Fields, as a JSON object <textarea rows="6" spellcheck=${false} value=${data} onInput=${(event) => setData(event.target.value)} /></label>
      ${waitOf && html`<p class="muted">What stands in <code>output</code> goes into the output of the step.</p>`}
      ${problem && html`<${Trouble} problem=${problem} />`}
      <div class="buttons"><button type="button" onClick=${onClose}>Cancel</button><button class="primary" aria-disabled=${busy ? "true" : null}>Send</button></div>
    </form><//>`;
}
