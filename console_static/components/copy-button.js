// Copying a text, where the browser allows it (it does on https and on localhost).

import { html, useEffect, useState } from "../vendor/preact.js";

/** A button that copies a text and says so. */
export function Copy({ text, label = "Copy id" }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    const timer = done && setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async (event) => {
    event.stopPropagation();
    event.preventDefault();
    await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(() => copySelected(text));
    setDone(true);
  };
  return html`<button class="quiet copy" title=${text.length < 200 ? text : ""} onClick=${copy}>${done ? "Copied" : label}</button>`;
}

/** Without the clipboard (plain http from another host) the old way is left. */
function copySelected(text) {
  const area = document.createElement("textarea");
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area); // what is behind a dialog cannot be selected
  area.select();
  document.execCommand("copy");
  area.remove();
}
