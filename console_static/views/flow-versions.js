// The versions of a stored flow; each says, when it is opened, in what it differs from the one before.

import { html, useState } from "../vendor/preact.js";
import { getJson, pathSegment } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { Clock } from "../components/indicators.js";
import { formatReference, storedFlowAddress } from "../state/stored-flows.js";

/** `flow` is the response of `/flows/NAME`. */
export const FlowVersions = ({ flow, now }) => html`<ul class="versions">
  ${flow.versions.map(
    (version) => html`<li key=${version.version}>
      <${Version} name=${flow.name} version=${version} now=${now} />
    </li>`,
  )}
</ul>`;

function Version({ name, version, now }) {
  const [loaded, setLoaded] = useState({ changes: undefined, problem: null });
  const reference = formatReference(name, version.version);
  function load(event) {
    if (!event.currentTarget.open || loaded.changes !== undefined) return;
    getJson(`/flows/${pathSegment(reference)}`).then(
      ({ changes }) => setLoaded({ changes, problem: null }),
      (problem) => setLoaded({ changes: undefined, problem }),
    );
  }
  return html`<details onToggle=${load}>
    <summary>
      Version ${version.version}, ${version.steps} steps, stored <${Clock} at=${version.applied} now=${now} />
    </summary>
    ${loaded.problem && html`<${ProblemMessage} problem=${loaded.problem} />`}
    ${loaded.changes === null && html`<p class="muted">There is no version before it.</p>`}
    ${loaded.changes?.length === 0 && html`<p class="muted">Nothing is different.</p>`}
    ${loaded.changes?.length > 0 && html`<pre class="changes">${loaded.changes.join("\n")}</pre>`}
    <p><a href=${storedFlowAddress(reference)}>Start this version</a></p>
  </details>`;
}
