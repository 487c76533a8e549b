// The page of the API: its operations, as the OpenAPI document of the server describes them.

import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { apiRoot, getJson } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { CopyButton } from "../components/transfer.js";
import { navigate, useRoute } from "../hooks/navigation.js";
import { buildAddress } from "../state/address.js";
import { formatCurl, groupOperations, hasText } from "../state/api-operations.js";
import { TryIt } from "../views/try-it.js";

export function DocsPage() {
  const { params } = useRoute();
  const [document, setDocument] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    getJson("/openapi.json").then(setDocument, setProblem);
  }, []);
  const groups = useMemo(() => (document ? groupOperations(document) : []), [document]);
  const text = params.find ?? "";
  const matches = groups
    .map(([tag, operations]) => [tag, operations.filter((each) => hasText(each, text))])
    .filter(([, operations]) => operations.length > 0);
  return html`<section class="page docs">
    <h1>API</h1>
    <p>
      Requests go to <code>${apiRoot()}</code>, each with a token:${" "}
      <code>Authorization: Bearer TOKEN</code>. Below each stands the role that the token needs.${" "}
      <a href="api/openapi.json" target="_blank" rel="noreferrer">OpenAPI document</a>
    </p>
    <label>
      Find${" "}
      <input
        type="search"
        value=${text}
        onInput=${(event) => navigate(buildAddress("docs", { find: event.target.value }), true)}
      />
    </label>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!document && !problem && html`<p class="loading">Loading …</p>`}
    ${document && !matches.length && html`<p class="empty">No request has this in its path or summary.</p>`}
    ${matches.map(
      ([tag, operations]) => html`<section key=${tag} aria-label=${tag}>
        <h2>${tag}</h2>
        ${operations.map((operation) => html`<${Operation} key=${operation.id} operation=${operation} />`)}
      </section>`,
    )}
  </section>`;
}

/** One operation: a line, and what is behind it once it is opened. */
function Operation({ operation }) {
  const [isOpen, setIsOpen] = useState(false);
  const { method, path, summary } = operation;
  return html`<details class="operation" onToggle=${(event) => setIsOpen(event.target.open)}>
    <summary>
      <span class=${`method method-${method.toLowerCase()}`}>${method}</span>
      <code>${path}</code>
      <span class="muted">${summary}</span>
    </summary>
    ${isOpen && html`<${OperationDetails} operation=${operation} />`}
  </details>`;
}

function OperationDetails({ operation }) {
  const { method, role, parameters, bodies, responses, isStream } = operation;
  const [values, setValues] = useState({});
  const curl = formatCurl(operation, apiRoot(), values);
  return html`<div class="operation-body">
    <p>${role ? html`Needs a token of the role <strong>${role}</strong>.` : "Needs no token."}</p>
    <div class="command"><pre>${curl}</pre><${CopyButton} text=${curl} label="Copy" /></div>
    ${
      parameters.length > 0 &&
      html`<h3>Parameters</h3>
        <dl class="members">
          ${parameters.map(
            ({ name, place, isRequired, type, help }) => html`<dt key=${name}><code>${name}</code></dt>
              <dd>
                <span class="muted">${place}${isRequired ? ", required" : ""}, ${type}</span>
                ${help && html`<br />${help}`}
              </dd>`,
          )}
        </dl>`
    }
    ${bodies.map(
      ({ media, isRequired, help, outline }) => html`<h3>
          Body: ${media}${isRequired ? "" : ", may be missing"}
        </h3>
        ${help && html`<p>${help}</p>`}
        <pre class="outline">${outline}</pre>`,
    )}
    ${
      method === "GET" &&
      !isStream &&
      html`<${TryIt} operation=${operation} values=${values} onValues=${setValues} />`
    }
    <h3>Responses</h3>
    ${responses.map(
      ({ status, description, media, outline }) => html`<details key=${status} class="response">
        <summary>
          <strong class=${status < "400" ? "tone-done" : "tone-failed"}>${status}</strong>${" "}
          ${description}${" "}<span class="muted">${media}</span>
        </summary>
        <pre class="outline">${outline || "no body"}</pre>
      </details>`,
    )}
  </div>`;
}
