// What `lfr doctor` finds, on the system page.

import { html, useState } from "../vendor/preact.js";
import { getJson, sendJson } from "../client/api.js";
import { Confirm, ProblemMessage } from "../components/dialog.js";
import { useAccess } from "../state/access.js";

const TONES = { error: "failed", warning: "terminating", note: "skipped" };

/** A button that examines the installation, what it finds, and a button that mends what is safe to mend. */
export function Doctor() {
  const may = useAccess();
  const [findings, setFindings] = useState(null);
  const [problem, setProblem] = useState(null);
  const [isBusy, setIsBusy] = useState(false);
  const [isMending, setIsMending] = useState(false);
  const examine = async () => {
    setIsBusy(true);
    setProblem(null);
    await getJson("/doctor").then((response) => setFindings(response.findings), setProblem);
    setIsBusy(false);
  };
  const mendable = (findings ?? []).filter((finding) => finding.mendable && !finding.mended);
  if (!may("operate")) return null;
  return html`<h2>Doctor</h2>
    <p class="buttons">
      <button aria-disabled=${isBusy ? "true" : null} onClick=${() => isBusy || examine()}>
        ${isBusy ? "Examining …" : "Examine the installation"}
      </button>
      ${
        mendable.length > 0 &&
        may("admin") &&
        html`<button onClick=${() => setIsMending(true)}>Mend ${mendable.length}</button>`
      }
      <span class="muted">as <code>lfr doctor</code>; it reads each key once</span>
    </p>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${
      findings &&
      (findings.length
        ? html`<ul class="findings" role="status">
          ${findings.map(
            ({ severity, text, matters, cure, mendable: isMendable, mended }, position) => html`<li
              key=${position}
              class=${`tone-${TONES[severity]}`}
            >
              <strong>${severity}</strong>
              <span>
                ${text}${matters && html`<br /><span class="muted">${matters}</span>`}
                ${cure && html`<br />→ ${isMendable ? `Mend ${cure}` : cure}`}
                ${mended && html`<br /><strong class="tone-done">mended: ${mended}</strong>`}
              </span>
            </li>`,
          )}
        </ul>`
        : html`<p role="status" class="tone-done">Nothing is wrong.</p>`)
    }
    ${
      isMending &&
      html`<${Confirm}
        title=${`Mend ${mendable.length} of these?`}
        word="Mend"
        act=${(reason) =>
          sendJson("POST", "/doctor", {
            checks: mendable.map(({ check }) => check),
            ...(reason && { reason }),
          })}
        onDone=${(response) => setFindings(response.findings)}
        onClose=${() => setIsMending(false)}
      >
        <ul>
          ${mendable.map(({ text, cure }, position) => html`<li key=${position}>${text}: ${cure}</li>`)}
        </ul>
        <p>Each is mended only if it is still so.</p>
      <//>`
    }`;
}
