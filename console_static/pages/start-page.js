// The page that starts a workflow, of a stored flow or of a text: flow editor with checks, input, graph.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { restoreArchive } from "../client/actions.js";
import { useAccess } from "../state/access.js";
import { sendJson } from "../client/api.js";
import { parseJson } from "../client/exact-json.js";
import { ProblemMessage } from "../components/dialog.js";
import { FlowEditor } from "../components/flow-editor.js";
import { showNotice } from "../components/notices.js";
import { CopyButton, FilePicker } from "../components/transfer.js";
import { buildCommandLine, EXAMPLE_FLOW } from "../format/flow-text.js";
import { Graph } from "../graph/graph.js";
import { navigate, useRoute } from "../hooks/navigation.js";
import { shortenId, workflowAddress } from "../state/address.js";
import { textDraft } from "../state/drafts.js";
import { storedFlowsAddress } from "../state/stored-flows.js";
import { StoredFlowForm } from "../views/stored-flow-form.js";
import { StoredFlows } from "../views/stored-flows.js";

const CHECK_DELAY_MS = 300; // after the last key

/** Open the start page with a flow in place of the draft; its input and id stay. */
function openDraft(text, file) {
  Object.assign(textDraft, { text, file });
  navigate("start");
  dispatchEvent(new Event("lfr:draft"));
}

/** Restore a `.json` file as an archive; open another file as a flow. */
export async function receiveFile(file) {
  const text = await file.text();
  if (!file.name.endsWith(".json")) return openDraft(text, file.name);
  try {
    const id = await restoreArchive(text);
    showNotice(`${shortenId(id)} is restored; use Restart to continue it`);
    navigate(workflowAddress(id));
  } catch (error) {
    showNotice(`${file.name} cannot be restored: ${/** @type {Error} */ (error).message}`, "failed");
  }
}

export function StartPage() {
  const { params } = useRoute();
  const isStored = Boolean(params.flow) || params.view === "stored";
  if (!isStored) return html`<${FlowTextForm} />`;
  return html`<section class="page start">
    <h1>Start a workflow</h1>
    <${Tabs} isStored=${true} />
    ${
      params.flow
        ? html`<${StoredFlowForm}
          reference=${params.flow}
          onEdit=${(text) => openDraft(text, "")}
        />`
        : html`<${StoredFlows} text=${params.text ?? ""} />`
    }
  </section>`;
}

/** The two ways to say what starts. */
const Tabs = ({ isStored }) => html`<nav class="tabs" aria-label="What to start">
  <a href="start" aria-current=${isStored ? null : "true"}>A flow that you write</a>
  <a href=${storedFlowsAddress()} aria-current=${isStored ? "true" : null}>Stored flows</a>
</nav>`;

function FlowTextForm() {
  const [form, setForm] = useState({ ...textDraft });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const check = useCheck(form.text);
  const input = useMemo(() => parseInput(form.input), [form.input]);
  const showDraft = () => {
    setProblem(null);
    setForm({ ...textDraft });
  };
  const change = (changes) => {
    Object.assign(textDraft, changes);
    showDraft();
  };
  useEffect(() => {
    addEventListener("lfr:draft", showDraft);
    return () => removeEventListener("lfr:draft", showDraft);
  }, []);
  const may = useAccess();
  const mayStart = form.text.trim() && !busy && !input.problem && check?.ok !== false;

  async function start(event) {
    event.preventDefault();
    if (!mayStart) return;
    setBusy(true);
    setProblem(null);
    try {
      const { workflow } = await sendJson("POST", "/workflows/start", buildBody(form, input.value));
      textDraft.id = "";
      navigate(workflowAddress(workflow));
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  const command = buildCommandLine(form.file, form.input, form.id.trim());
  return html`<section class="page start">
    <div class="heading">
      <h1>Start a workflow</h1>
      <div class="buttons">
        ${
          !form.text &&
          html`<button onClick=${() => change({ text: EXAMPLE_FLOW, file: "" })}>Example</button>`
        }
        <${FilePicker} label="Open a file" accept=".flow,.txt,.json,text/plain" onFile=${receiveFile} />
        ${may("operate") && html`<button class="primary" form="start" disabled=${!mayStart}>Start</button>`}
      </div>
    </div>
    <${Tabs} isStored=${false} />
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    <div class="columns">
      <form id="start" onSubmit=${start}>
        <h2>
          Flow ${form.file && html`<span class="muted">${form.file}</span>`}
          <${Verdict} text=${form.text} check=${check} />
        </h2>
        <${FlowEditor}
          text=${form.text}
          diagnostics=${listDiagnostics(check)}
          onInput=${(text) => change({ text })}
        />
        <h2>Input</h2>
        <textarea
          class="input"
          aria-label="Input"
          rows="4"
          spellcheck=${false}
          placeholder='JSON, as {"name": "you"}; empty: none'
          value=${form.input}
          onInput=${(event) => change({ input: event.target.value })}
        />
        ${input.problem && html`<p class="trouble" role="status">The input is not JSON: ${input.problem}</p>`}
        <details open=${form.id !== ""}>
          <summary>An id of your own</summary>
          <label>
            Id${" "}
            <input
              value=${form.id}
              spellcheck=${false}
              placeholder="generated"
              onInput=${(event) => change({ id: event.target.value })}
            />
          </label>
          <p class="muted">If you start the same flow and input again under the same id, nothing starts.</p>
        </details>
        <p class="command"><code>${command}</code><${CopyButton} text=${command} label="Copy" /></p>
      </form>
      <div class="preview">
        <h2>${check?.name || "Graph"}</h2>
        ${
          check?.flow
            ? html`<div class="picture"><${Graph} flow=${check.flow} orientation="TB" now=${0} /></div>`
            : html`<div class="empty">
              <p>
                ${
                  form.text.trim()
                    ? "The graph appears when the flow has no errors."
                    : "Drop a file, open one, or write a flow. Its graph appears here."
                }
              </p>
            </div>`
        }
      </div>
    </div>
  </section>`;
}

/** Return the API's check of a text, shortly after the last key; null before the first response. */
function useCheck(text) {
  const [check, setCheck] = useState(null);
  useEffect(() => {
    if (!text.trim()) return setCheck(null);
    let isStale = false;
    const timer = setTimeout(async () => {
      const result = await sendJson("POST", "/workflows/check", { workflow: text }).catch((error) => ({
        error,
      }));
      if (!isStale) setCheck(result);
    }, CHECK_DELAY_MS);
    return () => {
      isStale = true;
      clearTimeout(timer);
    };
  }, [text]);
  return check;
}

const listDiagnostics = (check) =>
  check?.errors ? [...check.errors.map((each) => ({ ...each, isError: true })), ...check.warnings] : [];

function buildBody({ text, id }, input) {
  /** @type {{workflow: string, input?: any, id?: string}} */
  const body = { workflow: text };
  if (input !== undefined) body.input = input;
  if (id.trim()) body.id = id.trim();
  return body;
}

function Verdict({ text, check }) {
  if (!text.trim() || !check) return "";
  if (check.error)
    return html`<span class="verdict tone-terminating">not checked: ${check.error.message}</span>`;
  if (!check.ok) return html`<span class="verdict tone-failed">${pluralize(check.errors, "error")}</span>`;
  return html`<span class="verdict tone-done">
    ${check.warnings.length ? `valid, with ${pluralize(check.warnings, "warning")}` : "valid"}
  </span>`;
}

const pluralize = (list, word) => `${list.length} ${word}${list.length === 1 ? "" : "s"}`;

/** Return the input as `value` (undefined if it is empty), or the `problem` with it. */
function parseInput(text) {
  if (!text.trim()) return { value: undefined, problem: "" };
  try {
    return { value: parseJson(text), problem: "" };
  } catch (error) {
    return { value: undefined, problem: /** @type {Error} */ (error).message };
  }
}
