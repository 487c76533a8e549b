// Dialogs and error messages.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";

const LONGEST_REASON = 500;

/** A modal dialog, open while it is rendered. Escape and a click outside call `onClose`. */
export function Dialog({ title, onClose, children, wide = false }) {
  const element = useRef(null);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const handleClick = (event) => event.target === element.current && onClose();
  return html`<dialog
    ref=${element}
    class=${wide ? "wide" : ""}
    aria-labelledby="dialog-title"
    onClick=${handleClick}
    onCancel=${(event) => {
      event.preventDefault();
      onClose();
    }}
  >
    <div class="dialog"><h2 id="dialog-title">${title}</h2>${children}</div>
  </dialog>`;
}

/**
 * Asks for confirmation, and for a reason unless `asksReason` is false. The button called `word` calls
 * `act(reason)`, then `onClose` and `onDone(result)`; if `act`
 * throws, the dialog stays and shows the problem. Cancel has the focus, so that Enter alone does no harm. The
 * busy button stays enabled and focused: without a focus in the dialog, Escape would not close it.
 */
export function Confirm({ title, children, word, danger = false, asksReason = true, act, onDone, onClose }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [reason, setReason] = useState("");
  const cancel = useRef(null);
  useEffect(() => cancel.current.focus(), []);
  async function confirm() {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const result = await act(reason.trim());
      onClose();
      onDone?.(result);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    ${asksReason && html`<${ReasonField} value=${reason} onInput=${setReason} />`}
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    <div class="buttons">
      <button ref=${cancel} onClick=${onClose}>Cancel</button>
      <button class=${danger ? "danger" : "primary"} aria-disabled=${busy ? "true" : null} onClick=${confirm}>
        ${word}
      </button>
    </div>
  <//>`;
}

/** Asks why somebody does something, for the history. */
export const ReasonField = ({ value, onInput }) => html`<label>
  Reason, for the history${" "}
  <input
    maxlength=${LONGEST_REASON}
    placeholder="optional"
    value=${value}
    onInput=${(event) => onInput(event.target.value)}
  />
</label>`;

/** The message and hint of a Problem. */
export const ProblemMessage = ({ problem }) => html`<p class="trouble" role="alert">
  <strong>${problem.message}</strong>
  ${problem.hint && html`<br />${problem.hint}`}
</p>`;
