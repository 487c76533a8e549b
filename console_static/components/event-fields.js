// The fields of an event.

import { html } from "../vendor/preact.js";

const NONE = new Set();

/** The fields of an event as JSON, one a line, but those with the names in `hidden`. */
export function EventFields({ fields, hidden = NONE }) {
  const rows = Object.entries(fields).filter(([name]) => !hidden.has(name));
  if (!rows.length) return "";
  const text = rows.map(([name, value]) => `${name}: ${value}`);
  return html`<details class="event-fields">
    <summary><code>${text.join("  ").slice(0, 160)}</code></summary>
    <pre>${text.join("\n")}</pre>
  </details>`;
}
