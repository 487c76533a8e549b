// Shows a JSON value as a tree or as text, with exact numbers.

import { html, useMemo, useState } from "../vendor/preact.js";
import { saveFile } from "../client/api.js";
import { ExactNumber, formatJson } from "../client/exact-json.js";
import { CopyButton } from "./transfer.js";

const MAX_CHARACTERS = 20_000; // shown at first
const OPEN_DEPTH = 2;
const MAX_ITEMS = 100;

/** A value with its title and buttons to switch the view, copy, download it as the file `NAME.json`. */
export function JsonView({ title, value, name }) {
  const text = useMemo(() => formatJson(value), [value]);
  const [isText, setIsText] = useState(false);
  const [isWhole, setIsWhole] = useState(false);
  const isTree = !isText && value !== null && typeof value === "object" && !(value instanceof ExactNumber);
  const visibleText = isWhole ? text : text.slice(0, MAX_CHARACTERS);
  return html`<div class="json">
    <div class="json-head">
      <h3>${title}</h3>
      <span class="muted">${formatSize(text.length)}</span>
      ${
        typeof value === "object" &&
        value !== null &&
        html`<button class="quiet" onClick=${() => setIsText(!isText)}>${isText ? "Tree" : "Text"}</button>`
      }
      <${CopyButton} text=${text} label="Copy" />
      <button class="quiet" onClick=${() => saveFile(`${name}.json`, text)}>Download</button>
    </div>
    ${
      isTree
        ? html`<div class="tree"><${Node} value=${value} depth=${0} /></div>`
        : html`<pre>${visibleText}</pre>`
    }
    ${
      !isTree &&
      visibleText.length < text.length &&
      html`<button onClick=${() => setIsWhole(true)}>Show all ${formatSize(text.length)}</button>`
    }
  </div>`;
}

/** Format a number of characters: `120 characters`, `37 kB`, `1.2 MB`. */
function formatSize(count) {
  if (count < 10_000) return `${count.toLocaleString("en")} characters`;
  return count < 1e6 ? `${Math.round(count / 1000)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** Format a number of bytes: `120 bytes`, `37 kB`, `1.2 MB`. */
export const formatBytes = (count) => formatSize(count).replace("characters", "bytes");

function Node({ name, value, depth }) {
  const label = name === undefined ? "" : html`<span class="key">${name}</span>`;
  if (value === null || typeof value !== "object" || value instanceof ExactNumber) {
    return html`<div class="leaf">${label}<${Leaf} value=${value} /></div>`;
  }
  return html`<${Branch} label=${label} value=${value} depth=${depth} />`;
}

function Branch({ label, value, depth }) {
  const entries = Object.entries(value);
  const [open, setOpen] = useState(depth < OPEN_DEPTH && entries.length <= MAX_ITEMS);
  const [count, setCount] = useState(MAX_ITEMS);
  const [before, after] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length)
    return html`<div class="leaf">${label}<span class="mark">${before}${after}</span></div>`;
  const inside = Array.isArray(value) ? `${entries.length} items` : `${entries.length} keys`;
  return html`<details open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>
      ${label}
      <span class="mark">${before}</span>
      <span class="muted">${open ? "" : ` ${inside} ${after}`}</span>
    </summary>
    ${
      open &&
      html`
        <div class="inside">
          ${entries
            .slice(0, count)
            .map(([key, item]) => html`<${Node} key=${key} name=${key} value=${item} depth=${depth + 1} />`)}
          ${
            count < entries.length &&
            html`<button class="quiet" onClick=${() => setCount(count + 10 * MAX_ITEMS)}>
              ${entries.length - count} more
            </button>`
          }
        </div>
        <span class="mark">${after}</span>
      `
    }
  </details>`;
}

function Leaf({ value }) {
  const [isWhole, setIsWhole] = useState(false);
  if (typeof value !== "string")
    return html`<span class="value">${value instanceof ExactNumber ? value.text : String(value)}</span>`;
  const text = JSON.stringify(value);
  if (isWhole || text.length <= 2000) return html`<span class="value text">${text}</span>`;
  return html`
    <span class="value text">${text.slice(0, 1000)}…</span>
    ${" "}
    <button class="quiet" onClick=${() => setIsWhole(true)}>all ${formatSize(text.length)}</button>
  `;
}
