// Moves text and files between the page and the computer: clipboard, drag and drop, file picker.

import { html, useEffect, useLayoutEffect, useState } from "../vendor/preact.js";

/** A button that copies a text to the clipboard. */
export function CopyButton({ text, label = "Copy id" }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    const timer = copied && setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async (event) => {
    event.stopPropagation();
    event.preventDefault();
    await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(() => copyBySelection(text));
    setCopied(true);
  };
  return html`<button class="quiet copy" title=${text.length < 200 ? text : ""} onClick=${copy}>
    ${copied ? "Copied" : label}
  </button>`;
}

/** Copy without the clipboard API, which browsers lack on plain http from another host. */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  // Nothing behind a dialog is selectable.
  const parent = document.querySelector("dialog[open]") ?? document.body;
  parent.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/**
 * Calls `onFile(file)` for each file that is dropped on the page. Shows its children while a file is dragged.
 */
export function DropZone({ onFile, children }) {
  const [isDragging, setIsDragging] = useState(false);
  // Before the page is painted: whoever sees it may drop a file.
  useLayoutEffect(() => {
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const drag = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setIsDragging(true);
    };
    const leave = (event) => event.relatedTarget === null && setIsDragging(false);
    const drop = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setIsDragging(false);
      for (const file of event.dataTransfer.files) onFile(file);
    };
    const listeners = { dragover: drag, dragleave: leave, drop };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
    return () => Object.entries(listeners).forEach(([name, listener]) => removeEventListener(name, listener));
  }, [onFile]);
  return isDragging && html`<div class="drop-hint" aria-hidden="true"><p>${children}</p></div>`;
}

/** A button that opens a file picker and calls `onFile(file)` for each chosen file. */
export const FilePicker = ({ label, accept, onFile }) => html`<label class="button">
  ${label}
  <input
    class="hidden"
    type="file"
    accept=${accept}
    onChange=${(event) => {
      for (const file of event.target.files) onFile(file);
      event.target.value = "";
    }}
  />
</label>`;
