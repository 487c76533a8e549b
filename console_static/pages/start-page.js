// Starting a workflow: a flow that is dropped, picked or written, checked while it is typed; its input; its picture.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { send } from "../client/api.js";
import { EXAMPLE, commandLine } from "../format/flow-text.js";
import { readJson } from "../client/exact-json.js";
import { shortId, workflowPath } from "../state/address.js";
import { restore } from "../client/actions.js";
import { Copy } from "../components/copy-button.js";
import { Trouble } from "../components/dialog.js";
import { PickFile } from "../components/files.js";
import { FlowEditor } from "../components/flow-editor.js";
import { Graph } from "../graph/graph.js";
import { go } from "../hooks/navigation.js";
import { say } from "../components/notices.js";

const CHECK_AFTER = 300; // milliseconds without a key

const draft = { text: "", file: "", input: "", id: "" }; // outlives the page, so that nothing typed is lost by a look elsewhere

/** Go to the start page with this text. */
export function handOver(text, file) {
  Object.assign(draft, { text, file });
  go("/start");
  dispatchEvent(new Event("lfr:draft"));
}

/** A file that was dropped or picked: an archive is restored, anything else is taken for a flow. */
export async function receive(file) {
  const text = await file.text();
  if (!file.name.endsWith(".json")) return handOver(text, file.name);
  try {
    const id = await restore(text);
    say(`${shortId(id)} is restored; Restart goes on with it`);
    go(workflowPath(id));
  } catch (problem) {
    say(`${file.name} is no archive that can be restored: ${problem.message}`, "failed");
  }
}

export function StartPage() {
  const [form, setForm] = useState({ ...draft });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const checked = useCheck(form.text);
  const input = useMemo(() => readInput(form.input), [form.input]);
  const take = () => {
    setProblem(null);
    setForm({ ...draft });
  };
  const change = (changes) => {
    Object.assign(draft, changes);
    take();
  };
  useEffect(() => {
    addEventListener("lfr:draft", take);
    return () => removeEventListener("lfr:draft", take);
  }, []);
  const mayStart = form.text.trim() && !busy && !input.problem && checked?.ok !== false;

  async function start(event) {
    event.preventDefault();
    if (!mayStart) return;
    setBusy(true);
    setProblem(null);
    try {
      const { workflow } = await send("POST", "/workflows/start", bodyOf(form, input.value));
      draft.id = "";
      go(workflowPath(workflow));
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  const line = commandLine(form.file, form.input, form.id.trim());
  return html`<section class="page start">
    <div class="heading"><h1>Start a workflow</h1>
      <div class="buttons">
        ${!form.text && html`<button onClick=${() => change({ text: EXAMPLE, file: "" })}>Example</button>`}
        <${PickFile} label="Open a file" accept=".flow,.txt,.json,text/plain" onFile=${receive} />
        <button class="primary" form="start" disabled=${!mayStart}>Start</button>
      </div>
    </div>
    ${problem && html`<${Trouble} problem=${problem} />`}
    <div class="columns">
      <form id="start" onSubmit=${start}>
        <h2>Flow ${form.file && html`<span class="muted">${form.file}</span>`}<${Verdict} text=${form.text} checked=${checked} /></h2>
        <${FlowEditor} text=${form.text} findings=${findingsOf(checked)} onInput=${(text) => change({ text })} />
        <h2>Input</h2>
        <textarea class="input" aria-label="Input" rows="4" spellcheck=${false} placeholder='JSON, as {"name": "you"}; empty: none' value=${form.input} onInput=${(event) => change({ input: event.target.value })} />
        ${input.problem && html`<p class="trouble" role="status">The input is not JSON: ${input.problem}</p>`}
        <details open=${form.id !== ""}><summary>An id of your own</summary>
          <label>Id <input value=${form.id} spellcheck=${false} placeholder="one is made" onInput=${(event) => change({ id: event.target.value })} /></label>
          <p class="muted">The same flow and input under the same id is started once, however often it is asked for.</p>
        </details>
        <p class="command"><code>${line}</code><${Copy} text=${line} label="Copy" /></p>
      </form>
      <div class="preview">
        <h2>${checked?.name || "Picture"}</h2>
        ${checked?.flow ? html`<div class="picture"><${Graph} flow=${checked.flow} orientation="TB" now=${0} /></div>`
          : html`<div class="empty"><p>${form.text.trim() ? "A picture comes when the flow is right." : "Drop a file, open one, or write a flow. Its picture comes here."}</p></div>`}
      </div>
    </div>
  </section>`;
}

/** What the API says of a text, a little after the last key; null before it has said anything. */
function useCheck(text) {
  const [checked, setChecked] = useState(null);
  useEffect(() => {
    if (!text.trim()) return setChecked(null);
    let isOld = false;
    const timer = setTimeout(async () => {
      const found = await send("POST", "/workflows/check", { workflow: text }).catch((error) => ({ error }));
      if (!isOld) setChecked(found);
    }, CHECK_AFTER);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [text]);
  return checked;
}

const findingsOf = (checked) =>
  checked?.errors ? [...checked.errors.map((each) => ({ ...each, isError: true })), ...checked.warnings] : [];

function bodyOf({ text, id }, input) {
  const body = { workflow: text };
  if (input !== undefined) body.input = input;
  if (id.trim()) body.id = id.trim();
  return body;
}

function Verdict({ text, checked }) {
  if (!text.trim() || !checked) return "";
  if (checked.error) return html`<span class="verdict tone-terminating">not checked: ${checked.error.message}</span>`;
  if (!checked.ok) return html`<span class="verdict tone-failed">${counted(checked.errors, "error")}</span>`;
  return html`<span class="verdict tone-done">${checked.warnings.length ? `right, with ${counted(checked.warnings, "warning")}` : "right"}</span>`;
}

const counted = (list, word) => `${list.length} ${word}${list.length === 1 ? "" : "s"}`;

/** The input as a value; undefined if there is none; or what is wrong with it. */
function readInput(text) {
  if (!text.trim()) return {};
  try {
    return { value: readJson(text) };
  } catch (error) {
    return { problem: error.message };
  }
}
