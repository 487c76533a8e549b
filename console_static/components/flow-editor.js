// A text area for a flow: with line numbers, and marks where something is wrong.

import { html, useRef } from "../vendor/preact.js";
import { lineCount, offsetOf } from "../format/flow-text.js";

/** `findings`: errors and warnings with line, column, message, hint, and `isError`. */
export function FlowEditor({ text, findings, onInput }) {
  const area = useRef(null);
  const gutter = useRef(null);
  const show = ({ line, column }) => {
    const at = offsetOf(text, line, column);
    area.current.focus();
    area.current.setSelectionRange(at, Math.min(at + 1, text.length));
    area.current.scrollTop = (line - 4) * lineHeight(area.current);
  };
  return html`<div class="editor">
    <div class="code">
      <pre class="gutter" ref=${gutter} aria-hidden="true">${numbers(lineCount(text), findings)}</pre>
      <textarea ref=${area} aria-label="Flow" spellcheck=${false} autocapitalize="off" autocomplete="off" wrap="off" placeholder="fetch -> { resize  watermark } -> publish" value=${text}
        onInput=${(event) => onInput(event.target.value)} onScroll=${(event) => { gutter.current.scrollTop = event.target.scrollTop; }} />
    </div>
    ${findings.length > 0 && html`<ul class="findings">${findings.map((finding) => html`<li class=${finding.isError ? "tone-failed" : "tone-terminating"}>
      <button type="button" class="quiet place" onClick=${() => show(finding)} title="Go there">${finding.line}:${finding.column}</button>
      <span><strong>${finding.isError ? "Error" : "Warning"}:</strong> ${finding.message}${finding.hint && html`<span class="muted"> ${finding.hint}</span>`}
        ${caret(text, finding)}</span></li>`)}</ul>`}
  </div>`;
}

/** The numbers of all lines. Those without a mark are told as one text: a flow may have 100,000 lines. */
function numbers(count, findings) {
  const marks = new Map();
  for (const { line, isError } of findings) if (isError || !marks.has(line)) marks.set(line, isError ? "failed" : "terminating");
  const told = [];
  let plain = "";
  for (let line = 1; line <= count; line += 1) {
    if (!marks.has(line)) {
      plain += `${line}\n`;
      continue;
    }
    told.push(plain, html`<span class=${`marked tone-${marks.get(line)}`}>${`${line}\n`}</span>`);
    plain = "";
  }
  return [...told, plain];
}

/** The line where it is, and a caret below the place, as the command line shows it. */
function caret(text, { line, column }) {
  const source = text.split("\n", line)[line - 1] ?? "";
  if (!source.trim() || source.length > 200) return "";
  return html`<pre class="caret">${`${source.replaceAll("\t", " ")}\n${" ".repeat(Math.max(0, column - 1))}^`}</pre>`;
}

const lineHeight = (element) => Number.parseFloat(getComputedStyle(element).lineHeight) || 20;
