// Starting a workflow: a flow that is dropped, picked or written, checked while it is typed; its input; its picture.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { send } from "../api.js";
import { EXAMPLE, commandLine } from "../model/flow_text.js";
import { readJson } from "../model/exact_json.js";
import { shortId, workflowPath } from "../model/route.js";
import { Copy } from "../parts/copy.js";
import { Trouble } from "../parts/dialog.js";
import { DropHint, PickFile, useDrop } from "../parts/drop.js";
import { FlowEditor } from "../parts/flow_editor.js";
import { Graph } from "../parts/graph.js";
import { go } from "../parts/navigation.js";
import { say } from "../parts/notices.js";
import { restore } from "../parts/actions.js";

const CHECK_AFTER = 300; // milliseconds without a key

const draft = { text: "", file: "", input: "", id: "" }; // outlives the page, so that nothing typed is lost by a look elsewhere

/** Go to the start page with this text. */
export function handOver(text, file) {
  Object.assign(draft, { text, file });
  go("/start");
  dispatchEvent(new Event("lfr:draft"));
}

export function StartPage() {
  const [form, setForm] = useState({ ...draft });
  const [checked, setChecked] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const change = (changes) => {
    Object.assign(draft, changes);
    setProblem(null);
    setForm({ ...draft });
  };
  useEffect(() => {
    const taken = () => setForm({ ...draft });
    addEventListener("lfr:draft", taken);
    return () => removeEventListener("lfr:draft", taken);
  }, []);
  useEffect(() => {
    if (!form.text.trim()) return setChecked(null);
    let old = false;
    const timer = setTimeout(async () => {
      const found = await send("POST", "/workflows/check", { workflow: form.text }).catch((error) => ({ error }));
      if (!old) setChecked(found);
    }, CHECK_AFTER);
    return () => {
      old = true;
      clearTimeout(timer);
    };
  }, [form.text]);
  const input = useMemo(() => readInput(form.input), [form.input]);
  const over = useDrop(receive);

  async function receive(file) {
    const text = await file.text();
    if (file.name.endsWith(".json")) await restoreArchive(text, file.name);
    else change({ text, file: file.name });
  }
  async function start(event) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const body = { workflow: form.text };
      if (input.value !== undefined) body.input = input.value;
      if (form.id.trim()) body.id = form.id.trim();
      const { workflow } = await send("POST", "/workflows/start", body);
      Object.assign(draft, { id: "" });
      go(workflowPath(workflow));
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  async function restoreArchive(text, name) {
    try {
      const id = await restore(text);
      say(`${shortId(id)} is restored; Restart goes on with it`);
      go(workflowPath(id));
    } catch (error) {
      say(`${name} is no archive that can be restored: ${error.message}`, "failed");
    }
  }

  const findings = checked?.errors ? [...checked.errors.map((each) => ({ ...each, isError: true })), ...checked.warnings] : [];
  const line = commandLine(form.file, form.input, form.id.trim());
  const mayStart = form.text.trim() && !busy && !input.problem && checked?.ok !== false;
  return html`<form class="page start" onSubmit=${start}>
    <div class="heading"><h1>Start a workflow</h1>
      <div class="buttons">
        ${!form.text && html`<button type="button" onClick=${() => change({ text: EXAMPLE, file: "" })}>Example</button>`}
        <${PickFile} label="Open a file" accept=".flow,.txt,.json,text/plain" onFile=${receive} />
        <button class="primary" disabled=${!mayStart}>Start</button>
      </div>
    </div>
    ${problem && html`<${Trouble} problem=${problem} />`}
    <div class="columns">
      <div>
        <h2>Flow ${form.file && html`<span class="muted">${form.file}</span>`}<${Verdict} text=${form.text} checked=${checked} /></h2>
        <${FlowEditor} text=${form.text} findings=${findings} onInput=${(text) => change({ text })} />
        <h2>Input</h2>
        <textarea class="input" aria-label="Input" rows="4" spellcheck="false" placeholder='JSON, as {"name": "you"}; empty: none' value=${form.input} onInput=${(event) => change({ input: event.target.value })} />
        ${input.problem && html`<p class="trouble" role="status">The input is not JSON: ${input.problem}</p>`}
        <details><summary>An id of your own</summary>
          <label>Id <input value=${form.id} spellcheck="false" placeholder="one is made" onInput=${(event) => change({ id: event.target.value })} /></label>
          <p class="muted">The same flow and input under the same id is started once, however often it is asked for.</p>
        </details>
        <p class="command"><code>${line}</code><${Copy} text=${line} label="Copy" /></p>
      </div>
      <div class="preview">
        <h2>${checked?.name || "Picture"}</h2>
        ${checked?.flow ? html`<div class="graph-frame"><${Graph} flow=${checked.flow} orientation="TB" chosen=${null} onChoose=${() => {}} now=${0} /></div>`
          : html`<div class="empty"><p>${form.text.trim() ? "A picture comes when the flow is right." : "Drop a file, open one, or write a flow. Its picture comes here."}</p></div>`}
      </div>
    </div>
    <${DropHint} over=${over}>Drop a flow to read it, or an archive to restore it<//>
  </form>`;
}

function Verdict({ text, checked }) {
  if (!text.trim() || !checked) return "";
  if (checked.error) return html`<span class="verdict tone-terminating">not checked: ${checked.error.message}</span>`;
  if (!checked.ok) return html`<span class="verdict tone-failed">${checked.errors.length === 1 ? "1 error" : `${checked.errors.length} errors`}</span>`;
  return html`<span class="verdict tone-done">${checked.warnings.length ? `right, with ${checked.warnings.length} warnings` : "right"}</span>`;
}

/** The input as a value; undefined if there is none; or what is wrong with it. */
function readInput(text) {
  if (!text.trim()) return {};
  try {
    return { value: readJson(text) };
  } catch (error) {
    return { problem: error.message };
  }
}
