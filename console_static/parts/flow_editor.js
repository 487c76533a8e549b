// A text area for a flow: with line numbers, and marks where something is wrong.

import { html, useRef } from "../vendor/preact.js";
import { lineCount, offsetOf } from "../model/flow_text.js";

/** `findings`: errors and warnings with line, column, message, hint, and `isError`. */
export function FlowEditor({ text, findings, onInput }) {
  const area = useRef(null);
  const gutter = useRef(null);
  const marks = new Map();
  for (const finding of [...findings].reverse()) marks.set(finding.line, finding.isError ? "failed" : marks.get(finding.line) ?? "terminating");
  const show = ({ line, column }) => {
    const at = offsetOf(text, line, column);
    area.current.focus();
    area.current.setSelectionRange(at, Math.min(at + 1, text.length));
    area.current.scrollTop = (line - 4) * lineHeight(area.current);
  };
  return html`<div class="editor">
    <div class="code">
      <div class="gutter" ref=${gutter} aria-hidden="true">${Array.from({ length: lineCount(text) }, (_, at) => html`<div key=${at} class=${marks.has(at + 1) ? `tone-${marks.get(at + 1)} marked` : ""}>${at + 1}</div>`)}</div>
      <textarea ref=${area} aria-label="Flow" spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off" placeholder="fetch -> { resize  watermark } -> publish" value=${text}
        onInput=${(event) => onInput(event.target.value)} onScroll=${(event) => { gutter.current.scrollTop = event.target.scrollTop; }} />
    </div>
    ${findings.length > 0 && html`<ul class="findings">${findings.map((finding) => html`<li class=${finding.isError ? "tone-failed" : "tone-terminating"}>
      <button class="quiet place" onClick=${() => show(finding)} title="Go there">${finding.line}:${finding.column}</button>
      <span><strong>${finding.isError ? "Error" : "Warning"}:</strong> ${finding.message}${finding.hint && html`<span class="muted"> ${finding.hint}</span>`}
        ${caret(text, finding)}</span></li>`)}</ul>`}
  </div>`;
}

/** The line where it is, and a caret below the place, as the command line shows it. */
function caret(text, { line, column }) {
  const source = text.split("\n")[line - 1] ?? "";
  if (!source.trim() || source.length > 200) return "";
  return html`<pre class="caret">${`${source.replaceAll("\t", " ")}\n${" ".repeat(Math.max(0, column - 1))}^`}</pre>`;
}

const lineHeight = (element) => Number.parseFloat(getComputedStyle(element).lineHeight) || 20;
