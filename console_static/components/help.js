// The keys, and where more is told.

import { html } from "../vendor/preact.js";
import { Dialog } from "./dialog.js";

const KEYS = [
  ["/", "search"],
  ["j  k", "next and previous row of a list"],
  ["Enter", "open the row"],
  ["1 – 6", "the views of a workflow"],
  ["f", "fit the graph into its frame"],
  ["p", "pause the news, and go on"],
  ["Esc", "close what is open"],
  ["?", "this help"],
];

/** Help in front of the page. */
export const Help = ({ onClose }) => html`<${Dialog} title="Keys" onClose=${onClose}>
  <dl class="keys">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
  <p class="muted">Everything here can also be done by <code>lfr</code> on the command line (<code>lfr --help</code>) and by the${" "}
    <a href="/api/openapi.json" target="_blank" rel="noreferrer">API</a>.</p>
  <div class="buttons"><button onClick=${onClose} autofocus>Close</button></div>
<//>`;
