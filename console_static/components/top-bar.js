// The controls in the top bar of every page, and the help.

import { html, useEffect, useState } from "../vendor/preact.js";
import { apiPath, getJson } from "../client/api.js";
import { lastingStorage } from "../client/browser-storage.js";
import { formatClock } from "../format/times.js";
import { navigate } from "../hooks/navigation.js";
import { buildAddress, workflowAddress } from "../state/address.js";
import { Dialog } from "./dialog.js";

/** The icon of lfr, as icon.svg, without a request that holds back those for the rows of a page. */
export const Icon = () => html`<svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
  <rect width="32" height="32" rx="7" fill="#0b5cad" />
  <path d="M9 16h4c4 0 3-7 7-7h2M13 16c4 0 3 7 7 7h2" fill="none" stroke="#fff" stroke-width="2.5" />
  <g fill="#fff">
    <circle cx="8" cy="16" r="3" />
    <circle cx="24" cy="9" r="3" />
    <circle cx="24" cy="23" r="3" />
  </g>
</svg>`;

/**
 * The field that searches for a part of an id or of a flow's name, besides the other `filters` of the list. A
 * whole id opens its workflow.
 */
export function SearchField({ inputRef, filters }) {
  const text = filters.text ?? "";
  const [draft, setDraft] = useState(text);
  useEffect(() => setDraft(text), [text]);
  async function submit(event) {
    event.preventDefault();
    const query = draft.trim();
    if (/^[\w.:/-]{8,}$/.test(query)) {
      const workflow = await getJson(apiPath(query, "?values=false")).catch(() => null);
      if (workflow) return navigate(workflowAddress(workflow.id));
    }
    return navigate(buildAddress("./", { ...filters, text: query }));
  }
  return html`<form class="search" role="search" onSubmit=${submit}>
    <input
      ref=${inputRef}
      type="search"
      aria-label="Search workflows"
      placeholder="Search by id or name  ( / )"
      value=${draft}
      onInput=${(event) => setDraft(event.target.value)}
      onKeyDown=${(event) => event.key === "Escape" && event.target.blur()}
    />
  </form>`;
}

/**
 * Shows whether live updates arrive, are paused, or since when they are missing. A click pauses or resumes
 * them.
 */
export function LiveButton({ paused, state, since, onToggle }) {
  const labels = {
    on: "Live",
    off: `No updates since ${formatClock(since)}`,
    refused: "No updates",
    waiting: "Updated every 10 s: other windows are live",
  };
  const tones = { on: "done", off: "failed", refused: "failed" };
  return html`<button
    class=${`live tone-${paused ? "pending" : (tones[state] ?? "pending")}`}
    aria-pressed=${paused}
    onClick=${onToggle}
    title=${paused ? "Updates are paused. Click to resume (p)" : "Updates arrive live. Click to pause (p)"}
  >
    <span class="dot" />
    ${paused ? "Paused" : (labels[state] ?? "Live")}
  </button>`;
}

const THEMES = {
  "": { label: "Theme: as the system", icon: "◐" },
  light: { label: "Theme: light", icon: "☀" },
  dark: { label: "Theme: dark", icon: "☾" },
};

/** Switches to the next theme, and remembers it in this browser. */
export function ThemeButton() {
  const [theme, setTheme] = useState(lastingStorage.read("lfr.theme") ?? "");
  useEffect(() => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    lastingStorage.store("lfr.theme", theme);
  }, [theme]);
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme) + 1) % names.length];
  const { label, icon } = THEMES[theme];
  return html`<button class="quiet" aria-label=${label} title=${label} onClick=${() => setTheme(next)}>
    ${icon}
  </button>`;
}

const KEYS = [
  ["/", "search"],
  ["j  k", "next and previous row of a list"],
  ["Enter", "open the row"],
  ["1 – 6", "the views of a workflow"],
  ["f  0  +  -", "in a graph: fit it, its own size, zoom in and out"],
  ["n  N", "next and previous failed step of a graph"],
  ["← → ↑ ↓", "in a graph: along its edges, and to the next step aside"],
  ["p", "pause and resume live updates"],
  ["Esc", "close the open dialog or panel"],
  ["?", "this help"],
];

/** The keyboard shortcuts, in a dialog. */
export const HelpDialog = ({ onClose }) => html`<${Dialog} title="Keys" onClose=${onClose}>
  <dl class="keys">${KEYS.map(([key, effect]) => html`<dt><kbd>${key}</kbd></dt><dd>${effect}</dd>`)}</dl>
  <p class="muted">
    Everything here can also be done with <code>lfr</code> on the command line (<code>lfr --help</code>) and
    with the${" "}<a href="docs" onClick=${onClose}>API</a>.
  </p>
  <div class="buttons"><button onClick=${onClose} autofocus>Close</button></div>
<//>`;
