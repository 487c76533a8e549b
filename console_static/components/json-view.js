// A value as JSON: folded where it is large, numbers exact, everything as text.

import { html, useMemo, useState } from "../vendor/preact.js";
import { saveAs } from "../client/api.js";
import { ExactNumber, writeJson } from "../client/exact-json.js";
import { Copy } from "./copy-button.js";

const AT_ONCE = 20_000; // characters that are shown before anybody asks for more
const OPEN_DEPTH = 2;
const ITEMS_AT_ONCE = 100;

/** A value under its title, with its tools: as a tree or as text, copied, saved. `name` is that of the file. */
export function Json({ title, value, name }) {
  const text = useMemo(() => writeJson(value), [value]);
  const [plain, setPlain] = useState(false);
  const [all, setAll] = useState(false);
  const isTree = !plain && value !== null && typeof value === "object" && !(value instanceof ExactNumber);
  const shown = all ? text : text.slice(0, AT_ONCE);
  return html`<div class="json">
    <div class="json-head"><h3>${title}</h3><span class="muted">${size(text.length)}</span>
      ${typeof value === "object" && value !== null && html`<button class="quiet" onClick=${() => setPlain(!plain)}>${plain ? "Tree" : "Text"}</button>`}
      <${Copy} text=${text} label="Copy" />
      <button class="quiet" onClick=${() => saveAs(`${name}.json`, text)}>Download</button>
    </div>
    ${isTree ? html`<div class="tree"><${Node} value=${value} depth=${0} /></div>` : html`<pre>${shown}</pre>`}
    ${!isTree && shown.length < text.length && html`<button onClick=${() => setAll(true)}>Show all ${size(text.length)}</button>`}
  </div>`;
}

/** A number of characters, in words. */
export function size(count) {
  if (count < 10_000) return `${count.toLocaleString("en")} characters`;
  return count < 1e6 ? `${Math.round(count / 1000)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function Node({ name, value, depth }) {
  const label = name === undefined ? "" : html`<span class="key">${name}</span>`;
  if (value === null || typeof value !== "object" || value instanceof ExactNumber) {
    return html`<div class="leaf">${label}<${Leaf} value=${value} /></div>`;
  }
  return html`<${Branch} label=${label} value=${value} depth=${depth} />`;
}

function Branch({ label, value, depth }) {
  const entries = Object.entries(value);
  const [open, setOpen] = useState(depth < OPEN_DEPTH && entries.length <= ITEMS_AT_ONCE);
  const [count, setCount] = useState(ITEMS_AT_ONCE);
  const [before, after] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return html`<div class="leaf">${label}<span class="mark">${before}${after}</span></div>`;
  const inside = Array.isArray(value) ? `${entries.length} items` : `${entries.length} keys`;
  return html`<details open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>${label}<span class="mark">${before}</span><span class="muted">${open ? "" : ` ${inside} ${after}`}</span></summary>
    ${open && html`<div class="inside">
      ${entries.slice(0, count).map(([key, item]) => html`<${Node} key=${key} name=${key} value=${item} depth=${depth + 1} />`)}
      ${count < entries.length && html`<button class="quiet" onClick=${() => setCount(count + 10 * ITEMS_AT_ONCE)}>${entries.length - count} more</button>`}
    </div><span class="mark">${after}</span>`}
  </details>`;
}

function Leaf({ value }) {
  const [all, setAll] = useState(false);
  if (typeof value !== "string") return html`<span class="value">${value instanceof ExactNumber ? value.text : String(value)}</span>`;
  const text = JSON.stringify(value);
  if (all || text.length <= 2000) return html`<span class="value text">${text}</span>`;
  return html`<span class="value text">${text.slice(0, 1000)}…</span> <button class="quiet" onClick=${() => setAll(true)}>all ${size(text.length)}</button>`;
}
