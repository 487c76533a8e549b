// Files that are dropped onto a page, or picked.

import { html, useEffect, useState } from "../vendor/preact.js";

/** Calls `onFile(file)` with each file that is dropped anywhere, and shows that it can be, while one hovers. */
export function Drop({ onFile, children }) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const drag = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event) => event.relatedTarget === null && setOver(false);
    const drop = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      for (const file of event.dataTransfer.files) onFile(file);
    };
    const listeners = { dragover: drag, dragleave: leave, drop };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
    return () => Object.entries(listeners).forEach(([name, listener]) => removeEventListener(name, listener));
  }, [onFile]);
  return over && html`<div class="drop-hint" aria-hidden="true"><p>${children}</p></div>`;
}

/** A button that picks a file. */
export const PickFile = ({ label, accept, onFile }) => html`<label class="button">${label}
  <input class="hidden" type="file" accept=${accept} onChange=${(event) => {
    for (const file of event.target.files) onFile(file);
    event.target.value = "";
  }} /></label>`;
