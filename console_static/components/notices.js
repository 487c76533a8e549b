// Short words on what has been done; they go by themselves, but for those that tell of trouble.

import { html, render } from "../vendor/preact.js";

const SECONDS = 6;
const MOST = 5; // the oldest goes, so that they never cover the page

let shown = [];

/** Say something. `tone`: `done` or `failed`. */
export function say(text, tone = "done") {
  const notice = { text, tone };
  shown = [...shown, notice].slice(-MOST);
  draw();
  if (tone !== "failed") setTimeout(() => forget(notice), SECONDS * 1000);
}

function forget(notice) {
  shown = shown.filter((each) => each !== notice);
  draw();
}

function draw() {
  let corner = document.getElementById("notices");
  if (!corner) {
    corner = document.createElement("div");
    corner.id = "notices";
    corner.setAttribute("role", "status");
    document.body.append(corner);
  }
  render(shown.map((notice) => html`<p class=${`notice tone-${notice.tone}`}>${notice.text}
    <button class="quiet" aria-label="Close" onClick=${() => forget(notice)}>×</button></p>`), corner);
}
