// Asking before something is done.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";

/** A dialog in front of the page; Escape and a click beside it close it. */
export function Dialog({ title, onClose, children, wide = false }) {
  const element = useRef(null);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const beside = (event) => event.target === element.current && onClose();
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-labelledby="dialog-title" onClick=${beside}
    onCancel=${(event) => { event.preventDefault(); onClose(); }}>
    <div class="dialog"><h2 id="dialog-title">${title}</h2>${children}</div>
  </dialog>`;
}

/**
 * Ask whether to do something. `act` does it; what it has against it is shown here. The cautious answer has
 * the focus, so that Enter alone does no harm. A button that is at work keeps the focus: if it were disabled,
 * nothing in the dialog would have it, and Escape would not close it.
 */
export function Confirm({ title, children, word, danger = false, act, onDone, onClose }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const cancel = useRef(null);
  useEffect(() => cancel.current.focus(), []);
  async function go() {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const result = await act();
      onClose();
      onDone?.(result);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    ${problem && html`<${Trouble} problem=${problem} />`}
    <div class="buttons">
      <button ref=${cancel} onClick=${onClose}>Cancel</button>
      <button class=${danger ? "danger" : "primary"} aria-disabled=${busy ? "true" : null} onClick=${go}>${word}</button>
    </div>
  <//>`;
}

/** What went wrong, and what to do. */
export const Trouble = ({ problem }) => html`<p class="trouble" role="alert">
  <strong>${problem.message}</strong>${problem.hint && html`<br />${problem.hint}`}
</p>`;
