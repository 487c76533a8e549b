// The form that starts a stored flow: its documentation, its version, a field for each declared input.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { getJson, pathSegment, sendJson } from "../client/api.js";
import { useAccess } from "../state/access.js";
import { ProblemMessage } from "../components/dialog.js";
import { InputField } from "../components/input-field.js";
import { CopyButton } from "../components/transfer.js";
import { buildStoredCommandLine } from "../format/flow-text.js";
import { formatClock } from "../format/times.js";
import { navigate } from "../hooks/navigation.js";
import { workflowAddress } from "../state/address.js";
import { keepStoredDraft, readStoredDraft } from "../state/drafts.js";
import { flowAddress } from "../state/flow-runs.js";
import { buildInput, formatLine, listFields, placeErrors, readContent } from "../state/input-form.js";
import { formatReference, storedFlowAddress, storedFlowsAddress } from "../state/stored-flows.js";

const NO_ERRORS = { errors: new Map(), idError: "", problem: null };

/** The form of a stored flow, `NAME` or `NAME@VERSION`. `onEdit(text)` opens its text in the editor. */
export function StoredFlowForm({ reference, onEdit }) {
  const [loaded, setLoaded] = useState({ flow: null, problem: null });
  useEffect(() => {
    let isStale = false;
    getJson(`/flows/${pathSegment(reference)}`).then(
      (flow) => isStale || setLoaded({ flow, problem: null }),
      (problem) => isStale || setLoaded({ flow: null, problem }),
    );
    return () => {
      isStale = true;
    };
  }, [reference]);
  const { flow, problem } = loaded;
  return html`<p class="crumbs"><a href=${storedFlowsAddress()}>Stored flows</a> ›</p>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!flow && !problem && html`<p class="loading">Loading …</p>`}
    ${flow && html`<${Form} key=${flow.name} flow=${flow} onEdit=${onEdit} />`}`;
}

function Form({ flow, onEdit }) {
  const may = useAccess();
  const [draft, setDraft] = useState(readStoredDraft(flow.name));
  const [refusal, setRefusal] = useState(NO_ERRORS);
  const [busy, setBusy] = useState(false);
  const form = useRef(null);
  const mustFocus = useRef(false);
  const fields = useMemo(() => listFields(flow.inputs), [flow]);
  const { input, errors } = useMemo(() => buildInput(fields, draft.contents), [fields, draft]);
  const reference = formatReference(flow.name, flow.version);
  const id = draft.id.trim();
  useEffect(() => setRefusal(NO_ERRORS), [flow]);
  useEffect(() => {
    if (!mustFocus.current) return;
    mustFocus.current = false;
    form.current.querySelector('[aria-invalid="true"]')?.focus();
  });

  function refuse(newRefusal) {
    mustFocus.current = true;
    setRefusal(newRefusal);
  }
  function change(newDraft) {
    keepStoredDraft(flow.name, newDraft);
    setDraft(newDraft);
  }
  function changeField(name, content) {
    change({ ...draft, contents: new Map(draft.contents).set(name, content) });
    const others = new Map(refusal.errors);
    if (others.delete(name)) setRefusal({ ...refusal, errors: others }); // it was about the content before
  }
  function changeId(text) {
    change({ ...draft, id: text });
    if (refusal.idError) setRefusal({ ...refusal, idError: "" });
  }
  async function start(event) {
    event.preventDefault();
    if (busy) return;
    if (errors.size) return refuse({ ...NO_ERRORS, errors });
    setBusy(true);
    setRefusal(NO_ERRORS);
    try {
      const body = { flow: reference, ...(input !== undefined && { input }), ...(id && { id }) };
      const { workflow } = await sendJson("POST", "/workflows/start", body);
      keepStoredDraft(flow.name, { ...draft, id: "" });
      navigate(workflowAddress(workflow));
    } catch (error) {
      refuse(placeErrors(error, fields, id));
      setBusy(false);
    }
  }

  const command = buildStoredCommandLine(reference, formatGiven(input), id);
  const count = refusal.errors.size + (refusal.idError ? 1 : 0);
  return html`<div class="heading">
      <h2>${flow.name}</h2>
      <div class="buttons">
        <${VersionChoice} flow=${flow} />
        <a class="button" href=${flowAddress(flow.name)}>Runs and versions</a>
        <button onClick=${() => onEdit(flow.text)}>Edit a copy</button>
      </div>
    </div>
    ${flow.doc && html`<p class="doc">${flow.doc}</p>`}
    ${refusal.problem && html`<${ProblemMessage} problem=${refusal.problem} />`}
    ${
      count > 0 &&
      html`<p class="trouble" role="alert">
        Nothing has started: ${count === 1 ? "1 field needs" : `${count} fields need`} a change.
      </p>`
    }
    <form id="start" class="inputs" ref=${form} noValidate onSubmit=${start}>
      ${fields.map(
        (field, position) => html`<${InputField}
          key=${field.name}
          id=${`input-${position}`}
          field=${field}
          content=${readContent(field, draft.contents)}
          error=${refusal.errors.get(field.name) ?? ""}
          onChange=${(content) => changeField(field.name, content)}
        />`,
      )}
      <details open=${draft.id !== ""}>
        <summary>An id of your own</summary>
        <div class="field">
          <label for="own-id">Id</label>
          <input
            id="own-id"
            value=${draft.id}
            spellcheck=${false}
            placeholder="generated"
            aria-invalid=${refusal.idError ? "true" : "false"}
            aria-describedby=${refusal.idError ? "own-id-hint own-id-error" : "own-id-hint"}
            onInput=${(event) => changeId(event.target.value)}
          />
          <p class="muted hint" id="own-id-hint">
            If you start the same flow and input again under the same id, nothing starts.
          </p>
          ${refusal.idError && html`<p class="error" id="own-id-error">${refusal.idError}</p>`}
        </div>
      </details>
      <div class="buttons">
        ${
          may("operate") && html`<button class="primary" aria-disabled=${busy ? "true" : null}>Start</button>`
        }
      </div>
    </form>
    <p class="command"><code>${command}</code><${CopyButton} text=${command} label="Copy" /></p>
    <details class="source">
      <summary>Flow text</summary>
      <pre>${flow.text}</pre>
    </details>`;
}

/** Chooses the version that starts. Without a version in its address, the page shows the latest one. */
function VersionChoice({ flow }) {
  const latest = flow.versions[0]?.version ?? flow.version;
  const open = (value) => {
    const reference = Number(value) === latest ? flow.name : formatReference(flow.name, value);
    navigate(storedFlowAddress(reference), true);
  };
  return html`<label>
    Version${" "}
    <select value=${String(flow.version)} onChange=${(event) => open(event.target.value)}>
      ${flow.versions.map(
        ({ version, applied }) => html`<option key=${version} value=${String(version)}>
          ${version}${version === latest ? " (latest)" : ""}, stored ${formatClock(applied)}
        </option>`,
      )}
    </select>
    ${flow.version !== latest && html` <span class="muted">not the latest</span>`}
  </label>`;
}

const formatGiven = (input) => (input === undefined || formatLine(input) === "{}" ? "" : formatLine(input));
