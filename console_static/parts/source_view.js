// The text of the flow that a workflow runs.

import { html, useEffect, useState } from "../vendor/preact.js";
import { getText, workflowAt } from "../api.js";
import { handOver } from "../pages/start.js";
import { downloadSource } from "./actions.js";
import { Copy } from "./copy.js";
import { Trouble } from "./dialog.js";

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
    <pre class="numbered">${text.replace(/\n$/, "").split("\n").map((line, at) => html`<span key=${at} class="line">${`${line}\n`}</span>`)}</pre>
  </div>`;
}
