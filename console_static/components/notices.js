// Short notices in a corner of the page. Notices of failures stay until they are closed.

import { html, render } from "../vendor/preact.js";

const DISPLAY_SECONDS = 6;
const MAX_NOTICES = 5; // so that they never cover the page

let notices = [];

/** Show a notice. `tone`: `done`, gone after some seconds, or `failed`, which stays until it is closed. */
export function showNotice(text, tone = "done") {
  const notice = { text, tone };
  notices = [...notices, notice].slice(-MAX_NOTICES);
  renderNotices();
  if (tone !== "failed") setTimeout(() => removeNotice(notice), DISPLAY_SECONDS * 1000);
}

function removeNotice(notice) {
  notices = notices.filter((each) => each !== notice);
  renderNotices();
}

function renderNotices() {
  let corner = document.getElementById("notices");
  if (!corner) {
    corner = document.createElement("div");
    corner.id = "notices";
    corner.setAttribute("role", "status");
    document.body.append(corner);
  }
  render(
    notices.map(
      (notice) => html`<p class=${`notice tone-${notice.tone}`}>
        ${notice.text}
        <button class="quiet" aria-label="Close" onClick=${() => removeNotice(notice)}>×</button>
      </p>`,
    ),
    corner,
  );
}
