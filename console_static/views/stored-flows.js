// The list of stored flows, with search.

import { html, useEffect, useState } from "../vendor/preact.js";
import { getPage } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { Ago } from "../components/indicators.js";
import { useNow } from "../hooks/live.js";
import { useRowKeys } from "../hooks/keys.js";
import { navigate } from "../hooks/navigation.js";
import { buildAddress } from "../state/address.js";
import { searchFlows, storedFlowAddress, storedFlowsAddress } from "../state/stored-flows.js";

/** How many flows are loaded. If there are more, the server searches. */
const PAGE_SIZE = 1000;

/** The stored flows with `text` in their name or documentation; a link opens the form of each. */
export function StoredFlows({ text }) {
  const { flows, isPart, problem } = useStoredFlows(text);
  const matches = flows && (isPart ? flows : searchFlows(flows, text));
  const count =
    matches && (isPart ? describePart(matches.length, text) : describeCount(matches.length, flows.length));
  useRowKeys();
  if (!flows)
    return problem ? html`<${ProblemMessage} problem=${problem} />` : html`<p class="loading">Loading …</p>`;
  return html`${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${
      flows.length === 0 && !isPart
        ? html`<div class="empty">
            <h2>No flow is stored yet</h2>
            <p>Store one under the name in its text, and everybody can start it here:</p>
            <pre>lfr apply FILE</pre>
          </div>`
        : html`<label class="flow-search">
              Search the stored flows
              <input
                type="search"
                spellcheck=${false}
                value=${text}
                onInput=${(event) => navigate(storedFlowsAddress(event.target.value), true)}
              />
            </label>
            <p class="muted" role="status">${count}</p>
            ${matches.length > 0 && html`<${FlowTable} flows=${matches} />`}`
    }`;
}

function FlowTable({ flows }) {
  const now = useNow(true);
  return html`<table class="list flows">
    <thead>
      <tr>
        <th>Flow</th>
        <th>Documentation</th>
        <th class="right">Version</th>
        <th class="right">Steps</th>
        <th>Stored</th>
      </tr>
    </thead>
    <tbody>
      ${flows.map(
        ({ name, doc, version, steps, applied }) => html`<tr key=${name}>
          <td class="name">
            <a class="row-link" href=${storedFlowAddress(name)}><strong>${name}</strong></a>
          </td>
          <td class="now"><span>${doc}</span></td>
          <td class="right number" data-label="version">${version}</td>
          <td class="right number" data-label="steps">${steps}</td>
          <td data-label="stored"><${Ago} at=${applied} now=${now} /></td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}

function describeCount(count, total) {
  const flows = total === 1 ? "1 stored flow" : `${total} stored flows`;
  return count === total ? flows : `${count} of ${flows}`;
}

function describePart(count, text) {
  const names = text.trim() ? `whose names begin with ${text.trim()}` : "by name";
  if (count === PAGE_SIZE) return `The first ${count} stored flows ${names}. Type how the name begins.`;
  return `${count} stored flows ${names}`;
}

/**
 * Return the stored `flows` (null before the first response) and the `problem` of the last request. If there
 * are more than a page has, `isPart`: these are those whose names begin with `text`.
 */
function useStoredFlows(text) {
  const [state, setState] = useState({ flows: null, isPart: false, problem: null });
  const prefix = state.isPart ? text.trim() : "";
  useEffect(() => {
    let isUnmounted = false;
    const load = () =>
      getPage(`/flows${buildAddress("", { size: PAGE_SIZE, prefix })}`).then(
        ({ items, next }) =>
          isUnmounted || setState({ flows: items, isPart: prefix !== "" || next !== null, problem: null }),
        (problem) => isUnmounted || setState((previous) => ({ ...previous, problem })),
      );
    load();
    addEventListener("focus", load); // `lfr apply` may have run in another window
    return () => {
      isUnmounted = true;
      removeEventListener("focus", load);
    };
  }, [prefix]);
  return state;
}
