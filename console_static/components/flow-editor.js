// A text area for a flow, with line numbers and diagnostics.

import { html, useRef } from "../vendor/preact.js";
import { countLines, findOffset } from "../format/flow-text.js";

/** The editor. `diagnostics`: errors and warnings of `text`, with line, column, message, hint, `isError`. */
export function FlowEditor({ text, diagnostics, onInput }) {
  const area = useRef(null);
  const gutter = useRef(null);
  const lineNumbers = renderLineNumbers(countLines(text), diagnostics);
  const select = ({ line, column }) => {
    const at = findOffset(text, line, column);
    area.current.focus();
    area.current.setSelectionRange(at, Math.min(at + 1, text.length));
    area.current.scrollTop = (line - 4) * readLineHeight(area.current);
  };
  return html`<div class="editor">
    <div class="code">
      <pre class="gutter" ref=${gutter} aria-hidden="true">${lineNumbers}</pre>
      <textarea
        ref=${area}
        aria-label="Flow"
        spellcheck=${false}
        autocapitalize="off"
        autocomplete="off"
        wrap="off"
        placeholder="fetch -> { resize  watermark } -> publish"
        value=${text}
        onInput=${(event) => onInput(event.target.value)}
        onScroll=${(event) => {
          gutter.current.scrollTop = event.target.scrollTop;
        }}
      />
    </div>
    ${
      diagnostics.length > 0 &&
      html`<ul class="findings">
        ${diagnostics.map(
          (diagnostic) => html`<li class=${diagnostic.isError ? "tone-failed" : "tone-terminating"}>
            <button type="button" class="quiet place" onClick=${() => select(diagnostic)} title="Go there">
              ${diagnostic.line}:${diagnostic.column}
            </button>
            <span>
              <strong>${diagnostic.isError ? "Error" : "Warning"}:</strong> ${diagnostic.message}
              ${diagnostic.hint && html`<span class="muted"> ${diagnostic.hint}</span>`}
              ${renderCaret(text, diagnostic)}
            </span>
          </li>`,
        )}
      </ul>`
    }
  </div>`;
}

/** Render the line numbers. Unmarked ones share text nodes, because a flow may have 100,000 lines. */
function renderLineNumbers(count, diagnostics) {
  const marks = new Map();
  for (const { line, isError } of diagnostics)
    if (isError || !marks.has(line)) marks.set(line, isError ? "failed" : "terminating");
  const parts = [];
  let unmarked = "";
  for (let line = 1; line <= count; line += 1) {
    if (!marks.has(line)) {
      unmarked += `${line}\n`;
      continue;
    }
    parts.push(unmarked, html`<span class=${`marked tone-${marks.get(line)}`}>${`${line}\n`}</span>`);
    unmarked = "";
  }
  return [...parts, unmarked];
}

/** Render the line of a diagnostic with a caret below its column, as the command line does. */
function renderCaret(text, { line, column }) {
  const source = text.split("\n", line)[line - 1] ?? "";
  if (!source.trim() || source.length > 200) return "";
  const indent = " ".repeat(Math.max(0, column - 1));
  return html`<pre class="caret">${`${source.replaceAll("\t", " ")}\n${indent}^`}</pre>`;
}

const readLineHeight = (element) => Number.parseFloat(getComputedStyle(element).lineHeight) || 20;
