// A text field that filters a list.

import { html, useEffect, useState } from "../vendor/preact.js";

/** A text field that applies its filter on Enter or blur, and keeps its draft while the page updates. */
export function FilterField({ label, hint, value = "", onChoose }) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  return html`<input
    type="search"
    aria-label=${label}
    placeholder=${hint}
    value=${draft}
    onInput=${(event) => setDraft(event.target.value)}
    onChange=${(event) => onChoose(event.target.value.trim())}
  />`;
}
