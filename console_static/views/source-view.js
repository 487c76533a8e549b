// A workflow's flow text.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { downloadSource } from "../client/actions.js";
import { apiPath, getText } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { CopyButton } from "../components/transfer.js";

const MAX_NUMBERED_LINES = 5000; // more would make the page slow

export function SourceView({ workflow }) {
  const [text, setText] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    getText(apiPath(workflow.id, "/source")).then(setText, setProblem);
  }, [workflow.id]);
  if (problem) return html`<${ProblemMessage} problem=${problem} />`;
  if (text === null) return html`<p class="loading">Loading …</p>`;
  if (!text) return html`<p class="empty">The flow text was not stored.</p>`;
  return html`<div class="source">
    <p class="tools">
      <${CopyButton} text=${text} label="Copy" />
      <button class="quiet" onClick=${() => downloadSource(workflow.id, workflow.name)}>Download</button>
    </p>
    <${NumberedText} text=${text} />
  </div>`;
}

/** The text with line numbers. Each line is a value because the template would trim its newline. */
const NumberedText = ({ text }) =>
  useMemo(() => {
    const lines = text.replace(/\n$/, "").split("\n");
    if (lines.length > MAX_NUMBERED_LINES) return html`<pre>${text}</pre>`;
    const spans = lines.map((line, at) => html`<span key=${at} class="line">${`${line}\n`}</span>`);
    return html`<pre class="numbered" tabindex="0">${spans}</pre>`;
  }, [text]);
