// The named tokens of the API, on the system page: for administrators.

import { html, useState } from "../vendor/preact.js";
import { pathSegment, sendJson } from "../client/api.js";
import { Confirm, ProblemMessage } from "../components/dialog.js";
import { Clock } from "../components/indicators.js";
import { CopyButton } from "../components/transfer.js";
import { useNow, usePolled } from "../hooks/live.js";
import { useAccess } from "../state/access.js";

const POLL_MS = 10_000;
const ROLES = ["read", "operate", "admin"];

/** The named tokens, a form that adds one, and a button that removes each; nothing for other roles. */
export const Tokens = () => useAccess()("admin") && html`<${TokenList} />`;

function TokenList() {
  const { data: tokens, problem, load } = usePolled("/tokens", POLL_MS);
  const [added, setAdded] = useState(null);
  const [removed, setRemoved] = useState("");
  const now = useNow(true);
  return html`<h2>Named tokens</h2>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${
      tokens?.length > 0 &&
      html`<table class="list tokens">
        <thead>
          <tr><th>Name</th><th>Role</th><th>Created</th><th>Made by</th><th>Expires</th><th></th></tr>
        </thead>
        <tbody>
          ${tokens.map(
            ({ name, role, created, made_by: maker, expires, expired }) => html`<tr key=${name}>
              <td class="name"><strong>${name}</strong></td>
              <td data-label="Role">${role}</td>
              <td data-label="Created"><${Clock} at=${created} now=${now} /></td>
              <td data-label="Made by">${maker ?? "–"}</td>
              <td data-label="Expires" class=${expired ? "tone-failed" : ""}>
                ${expires ? html`<${Clock} at=${expires} now=${now} />` : "never"}${expired && " (expired)"}
              </td>
              <td>
                <button class="quiet" aria-label=${`Remove ${name}`} onClick=${() => setRemoved(name)}>
                  Remove
                </button>
              </td>
            </tr>`,
          )}
        </tbody>
      </table>`
    }
    ${tokens?.length === 0 && html`<p class="muted">There is none yet.</p>`}
    ${
      added &&
      html`<p class="alarm tone-done" role="status">
        <strong>The token ${added.name}, which nobody can read again:</strong>${" "}
        <code>${added.token}</code> <${CopyButton} text=${added.token} label="Copy" />${" "}
        <button class="quiet" onClick=${() => setAdded(null)}>Hide</button>
      </p>`
    }
    <${AddToken}
      onAdded=${(token) => {
        setAdded(token);
        load();
      }}
    />
    ${
      removed &&
      html`<${Confirm}
        title=${`Remove the token ${removed}?`}
        word="Remove"
        danger=${true}
        act=${(reason) =>
          sendJson(
            "DELETE",
            `/tokens/${pathSegment(removed)}${reason && `?${new URLSearchParams({ reason })}`}`,
          )}
        onDone=${load}
        onClose=${() => setRemoved("")}
      >
        <p>Requests with it are refused within some seconds.</p>
      <//>`
    }`;
}

function AddToken({ onAdded }) {
  const [draft, setDraft] = useState({ name: "", role: "operate", expires: "" });
  const [problem, setProblem] = useState(null);
  const change = (name) => (event) => setDraft({ ...draft, [name]: event.target.value });
  const submit = async (event) => {
    event.preventDefault();
    setProblem(null);
    const { name, role, expires } = draft;
    await sendJson("POST", "/tokens", { name: name.trim(), role, expires: expires.trim() || null }).then(
      (token) => {
        setDraft({ ...draft, name: "" });
        onAdded(token);
      },
      setProblem,
    );
  };
  return html`<form class="filters" aria-label="Add a token" onSubmit=${submit}>
      <label>Name <input required value=${draft.name} placeholder="ci" onInput=${change("name")} /></label>
      <label>
        Role
        <select onChange=${change("role")}>
          ${ROLES.map(
            (role) =>
              html`<option key=${role} value=${role} selected=${role === draft.role}>${role}</option>`,
          )}
        </select>
      </label>
      <label>
        Expires in <input value=${draft.expires} placeholder="90d, or never" onInput=${change("expires")} />
      </label>
      <button>Add a token</button>
    </form>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}`;
}
