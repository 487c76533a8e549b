// What is paused: the banner on every page, and the buttons of the system page.

import { html, useState } from "../vendor/preact.js";
import { sendJson } from "../client/api.js";
import { Confirm } from "../components/dialog.js";
import { showNotice } from "../components/notices.js";
import { formatPause } from "../format/workflow-status.js";
import { useInstallation } from "../state/installation.js";

/** A banner that says what else than single workflows is paused, with a button that ends each pause. */
export function PauseBanner() {
  const { system, refresh } = useInstallation();
  const pauses = system?.pauses.filter(({ scope }) => scope !== "workflow") ?? [];
  const resume = (pause) =>
    sendJson("POST", "/pauses/resume", { scope: pause.scope, ...(pause.name && { name: pause.name }) }).then(
      () => refresh(),
      (problem) => showNotice(`${problem.message} ${problem.hint ?? ""}`, "failed"),
    );
  return pauses.map(
    (pause) => html`<p key=${pause.scope + pause.name} class="alarm tone-terminating" role="status">
      <strong>${formatPause(pause)}.</strong> What runs may end; nothing new starts.${" "}
      <button onClick=${() => resume(pause)}>Resume</button>
    </p>`,
  );
}

/** The button that pauses everything, and how many workflows are paused. */
export function PauseControls() {
  const { system, refresh } = useInstallation();
  const [isOpen, setIsOpen] = useState(false);
  if (!system) return null;
  const isPaused = system.pauses.some(({ scope }) => scope === "all");
  return html`<div class="buttons">
    ${!isPaused && html`<button onClick=${() => setIsOpen(true)}>Pause everything</button>`}
    ${system.paused > 0 && html`<span class="muted">${system.paused} pauses</span>`}
    ${
      isOpen &&
      html`<${Confirm}
        title="Pause everything?"
        word="Pause"
        act=${(reason) => sendJson("POST", "/pauses", { scope: "all", ...(reason && { reason }) })}
        onDone=${() => refresh()}
        onClose=${() => setIsOpen(false)}
      >
        <p>
          What runs may end, and nothing new starts in any workflow. New workflows are accepted, and wait.
          Deadlines go on.
        </p>
      <//>`
    }
  </div>`;
}
