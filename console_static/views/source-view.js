// The text of the flow that a workflow runs.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { getText, workflowAt } from "../client/api.js";
import { handOver } from "../pages/start-page.js";
import { downloadSource } from "../client/actions.js";
import { Copy } from "../components/copy-button.js";
import { Trouble } from "../components/dialog.js";

const MOST_NUMBERED = 5000; // lines: more of them would make the page slow

export function SourceView({ workflow }) {
  const [text, setText] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    getText(workflowAt(workflow.id, "/source")).then(setText, setProblem);
  }, [workflow.id]);
  if (problem) return html`<${Trouble} problem=${problem} />`;
  if (text === null) return html`<p class="loading">Loading …</p>`;
  if (!text) return html`<p class="empty">The text of this flow was not kept.</p>`;
  return html`<div class="source">
    <p class="tools"><${Copy} text=${text} label="Copy" />
      <button class="quiet" onClick=${() => downloadSource(workflow.id, workflow.name)}>Download</button>
      <button class="quiet" onClick=${() => handOver(text, "")}>Start another like it</button></p>
    <${Numbered} text=${text} />
  </div>`;
}

/** The text with a number before each line, as errors name it. The template would cut off a line's end. */
const Numbered = ({ text }) => useMemo(() => {
  const lines = text.replace(/\n$/, "").split("\n");
  if (lines.length > MOST_NUMBERED) return html`<pre>${text}</pre>`;
  return html`<pre class="numbered">${lines.map((line, at) => html`<span key=${at} class="line">${`${line}\n`}</span>`)}</pre>`;
}, [text]);
