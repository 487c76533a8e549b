// The dialog that sends an event, or to each of several waits the event that it asks for.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { getJson, sendJson, apiPath } from "../client/api.js";
import { parseJson, formatJson } from "../client/exact-json.js";
import { collectEvents, formatMatch } from "../state/waits.js";
import { Dialog, ProblemMessage } from "./dialog.js";
import { showNotice } from "./notices.js";

const MAX_LISTED = 10;

/**
 * The dialog that sends an event, then calls `onClose` and `onDone`. `waitingStep`, if any: workflow id and
 * index of a step that waits for an event; the dialog fills in its kind and match.
 */
export function EventDialog({ waitingStep, onClose, onDone }) {
  const [kind, setKind] = useState("");
  const [data, setData] = useState("{}");
  const sending = useSending(async () => {
    await sendJson("POST", "/events", { kind: kind.trim(), data: parseJson(data.trim() || "{}") });
    showNotice(`The event ${kind.trim()} is sent`);
    onClose();
    onDone?.();
  });
  useEffect(() => {
    if (!waitingStep) return;
    getJson(apiPath(waitingStep.id, `/steps/${waitingStep.index}`)).then((step) => {
      setKind(step.waits_for?.event ?? "");
      setData(formatJson({ ...step.waits_for?.match, output: {} }));
    }, sending.setProblem);
  }, []);
  return html`<${Dialog} title="Send an event" onClose=${onClose}>
    <form class="fields" onSubmit=${sending.submit}>
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
      <${FieldsField} label="Fields, as a JSON object" value=${data} onInput=${setData} />
      ${
        waitingStep &&
        html`<p class="muted">The value of <code>output</code> becomes a part of the step's output.</p>`
      }
      <${Footer} sending=${sending} onClose=${onClose} />
    </form>
  <//>`;
}

/**
 * The dialog that sends each different event that these waits ask for, once. `waits` are those of the API. If
 * one cannot be sent, those before it are not sent again.
 */
export function WaitsDialog({ waits, onClose, onDone }) {
  const [events] = useState(() => collectEvents(waits));
  const [data, setData] = useState(formatJson({ output: {} }));
  const sent = useRef(0);
  const sending = useSending(async () => {
    const fields = parseJson(data.trim() || "{}");
    while (sent.current < events.length) {
      const { kind, match } = events[sent.current];
      await sendJson("POST", "/events", { kind, data: { ...fields, ...match } });
      sent.current += 1;
    }
    showNotice(
      events.length === 1 ? `The event ${events[0].kind} is sent` : `${events.length} events are sent`,
    );
    onClose();
    onDone?.();
  });
  const close = () => {
    onClose();
    if (sent.current) onDone?.();
  };
  return html`<${Dialog}
    title=${events.length === 1 ? `Send the event ${events[0].kind}` : `Send ${events.length} events`}
    onClose=${close}
  >
    <form class="fields" onSubmit=${sending.submit}>
      <ul class="ids">
        ${events
          .slice(0, MAX_LISTED)
          .map(
            ({ kind, match }) => html`<li><strong>${kind}</strong> <code>${formatMatch(match)}</code></li>`,
          )}
        ${events.length > MAX_LISTED && html`<li>… and ${events.length - MAX_LISTED} more</li>`}
      </ul>
      <${FieldsField} label="Further fields, as a JSON object" value=${data} onInput=${setData} />
      <p class="muted">
        The value of <code>output</code> becomes a part of the step's output. An event ends every wait that
        asks for these fields, also one that is not chosen.
      </p>
      <${Footer} sending=${sending} onClose=${close} />
    </form>
  <//>`;
}

/** Return what a form needs to send: `submit`, `isBusy`, `problem`, and `setProblem`. */
function useSending(send) {
  const [problem, setProblem] = useState(null);
  const [isBusy, setIsBusy] = useState(false);
  async function submit(event) {
    event.preventDefault();
    if (isBusy) return;
    setIsBusy(true);
    setProblem(null);
    try {
      await send();
    } catch (error) {
      setProblem(error);
      setIsBusy(false);
    }
  }
  return { submit, isBusy, problem, setProblem };
}

const FieldsField = ({ label, value, onInput }) => html`<label>
  ${label}${" "}
  <textarea
    rows="6"
    spellcheck=${false}
    value=${value}
    onInput=${(event) => onInput(event.target.value)}
  />
</label>`;

const Footer = ({ sending, onClose }) => html`
  ${sending.problem && html`<${ProblemMessage} problem=${sending.problem} />`}
  <div class="buttons">
    <button type="button" onClick=${onClose}>Cancel</button>
    <button class="primary" aria-disabled=${sending.isBusy ? "true" : null}>Send</button>
  </div>
`;
