// The page of those who wait: for what, since when, until when. It sends the event that they wait for.

import { html, useEffect, useState } from "../vendor/preact.js";
import { getJson } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { WaitsDialog } from "../components/event-dialog.js";
import { FilterField } from "../components/filter-field.js";
import { Ago } from "../components/indicators.js";
import { formatExact, formatUntil } from "../format/times.js";
import { useRowKeys } from "../hooks/keys.js";
import { useNow, usePolling } from "../hooks/live.js";
import { navigate, useRoute } from "../hooks/navigation.js";
import { useAccess } from "../state/access.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";
import { countKinds, describeWait, formatMatch, identifyWait, WAIT_KINDS } from "../state/waits.js";

const POLL_MS = 3000;
const PAGE_SIZE = 50;

export function WaitingPage() {
  const { params } = useRoute();
  const { kind, name, flow, next } = params;
  const [data, setData] = useState(null);
  const [problem, setProblem] = useState(null);
  const [selected, setSelected] = useState(new Set());
  const [isSending, setIsSending] = useState(false);
  const may = useAccess();
  const query = buildAddress("", { kind, name, flow, size: PAGE_SIZE, next });
  useEffect(() => {
    setData(null);
    setSelected(new Set());
  }, [query]);
  const load = usePolling(
    query,
    {
      request: () => loadPage({ kind, name, flow, next }),
      onResponse: (page) => {
        setData(page);
        setProblem(null);
        const ids = new Set(page.waits.map(identifyWait));
        // Only what is visible can be chosen.
        setSelected((previous) => new Set([...previous].filter((id) => ids.has(id))));
      },
      onProblem: setProblem,
    },
    POLL_MS,
  );
  useRowKeys();
  const linkTo = (changes) => buildAddress("waiting", { kind, name, flow, ...changes, next: changes.next });
  const chosen = data?.waits.filter((wait) => selected.has(identifyWait(wait))) ?? [];
  return html`<section class="page waiting">
    <h1>Waiting</h1>
    <${KindTabs} groups=${data?.groups} kind=${kind ?? ""} to=${(word) => linkTo({ kind: word, name: "" })} />
    <p class="tools">
      <${NameChoice}
        groups=${data?.groups ?? []}
        kind=${kind}
        name=${name}
        onChoose=${(word) => navigate(linkTo({ name: word }))}
      />
      <${FilterField}
        label="Flow"
        hint="Flow's name"
        value=${flow}
        onChoose=${(text) => navigate(linkTo({ flow: text }), true)}
      />
    </p>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${
      chosen.length > 0 &&
      html`<div class="bulk" role="toolbar" aria-label="For what is chosen">
        <span>${chosen.length} chosen</span>
        <button class="primary" onClick=${() => setIsSending(true)}>Send the event</button>
        <button class="quiet" onClick=${() => setSelected(new Set())}>Choose none</button>
      </div>`
    }
    ${
      !data
        ? !problem && html`<p class="loading">Loading …</p>`
        : data.waits.length
          ? html`<${WaitTable}
            waits=${data.waits}
            maySend=${may("operate")}
            selected=${selected}
            setSelected=${setSelected}
          />`
          : html`<${Nobody} isFiltered=${Boolean(kind || name || flow || next)} />`
    }
    ${
      (data?.next || next) &&
      html`<nav class="pager" aria-label="Pages of the list">
        ${next && html`<a class="button" href=${linkTo({})}>First</a>`}
        ${data?.next && html`<a class="button" href=${linkTo({ next: data.next })}>Next</a>`}
      </nav>`
    }
    ${
      isSending &&
      html`<${WaitsDialog}
        waits=${chosen}
        onClose=${() => setIsSending(false)}
        onDone=${() => {
          setSelected(new Set());
          load();
        }}
      />`
    }
  </section>`;
}

/** Load a page. A filter may leave out so many that a response has none and goes on: then load the next. */
async function loadPage({ kind, name, flow, next }) {
  let page;
  let after = next;
  do {
    page = await getJson(`/waits${buildAddress("", { kind, name, flow, size: PAGE_SIZE, next: after })}`);
    after = page.next;
  } while (!page.waits.length && after !== null);
  return page;
}

const KindTabs = ({ groups, kind, to }) => {
  const counts = groups && countKinds(groups);
  const tabs = [["", "All"], ...Object.entries(WAIT_KINDS).map(([word, { label }]) => [word, label])];
  return html`<nav class="tabs" aria-label="Kinds of waits">
    ${tabs.map(
      ([word, label]) => html`<a key=${word} href=${to(word)} aria-current=${word === kind ? "true" : null}>
        ${label}
        <span class="count">${counts?.[word]?.toLocaleString("en") ?? ""}</span>
      </a>`,
    )}
  </nav>`;
};

/** Chooses one event or one latch, of those that somebody waits for; nothing for other kinds. */
function NameChoice({ groups, kind, name, onChoose }) {
  if (kind !== "event" && kind !== "latch") return null;
  const own = groups.filter((group) => group.kind === kind);
  const isMissing = name && !own.some((group) => group.name === name);
  const label = kind === "event" ? "Event" : "Latch";
  return html`<select
    aria-label=${label}
    value=${name ?? ""}
    onChange=${(event) => onChoose(event.target.value)}
  >
    <option value="">Every ${label.toLowerCase()}</option>
    ${isMissing && html`<option value=${name}>${name} (nobody waits)</option>`}
    ${own.map(
      (group) => html`<option key=${group.name} value=${group.name}>
        ${group.name} (${group.count.toLocaleString("en")})
      </option>`,
    )}
  </select>`;
}

function WaitTable({ waits, maySend, selected, setSelected }) {
  const now = useNow(true);
  const events = maySend ? waits.filter((wait) => wait.event !== null).map(identifyWait) : [];
  const isAllSelected = events.length > 0 && events.every((id) => selected.has(id));
  const select = (ids, isSelected) => {
    const selection = new Set(selected);
    for (const id of ids) isSelected ? selection.add(id) : selection.delete(id);
    setSelected(selection);
  };
  return html`<table class="list">
    <thead>
      <tr>
        ${
          events.length > 0 &&
          html`<th class="tick">
            <input
              type="checkbox"
              aria-label="Choose all events on this page"
              checked=${isAllSelected}
              onChange=${() => select(events, !isAllSelected)}
            />
          </th>`
        }
        <th>Waits for</th>
        <th>Workflow</th>
        <th>Step</th>
        <th>Since</th>
        <th>Ends</th>
      </tr>
    </thead>
    <tbody>
      ${waits.map((wait) => {
        const id = identifyWait(wait);
        return html`<tr key=${id} class=${selected.has(id) ? "ticked" : ""}>
          ${
            events.length > 0 &&
            html`<td class="tick">
              ${
                wait.event !== null &&
                html`<input
                  type="checkbox"
                  aria-label=${`Choose ${shortenId(wait.workflow)}, step ${wait.index}`}
                  checked=${selected.has(id)}
                  onChange=${(event) => select([id], event.target.checked)}
                />`
              }
            </td>`
          }
          <td class="name">
            <strong>${describeWait(wait)}</strong>
            ${formatMatch(wait.match) && html` <code>${formatMatch(wait.match)}</code>`}
          </td>
          <td data-label="Workflow">
            <a class="row-link" href=${buildAddress(workflowAddress(wait.workflow), { step: wait.index })}>
              ${wait.flow || "no name"} <span class="id">${shortenWaitId(wait)}</span>
            </a>
          </td>
          <td data-label="Step">${wait.step || (wait.index === null ? "–" : wait.index)}</td>
          <td data-label="Since"><${Ago} at=${wait.since} now=${now} /></td>
          <td data-label="Ends">${renderEnd(wait, now)}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function renderEnd(wait, now) {
  if (!wait.until) return "–";
  const time = html`<time datetime=${wait.until} title=${formatExact(wait.until)}>
    ${formatUntil(wait.until, now)}
  </time>`;
  return wait.fails ? html`<span class="tone-failed">fails ${time}</span>` : time;
}

/** Return the id without the flow's name, of a UUID only the beginning. */
const shortenWaitId = ({ workflow, flow }) => {
  const id = shortenId(workflow);
  const rest = flow && id.startsWith(`${flow}-`) ? id.slice(flow.length + 1) : id;
  return rest.replace(/^([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/, "$1");
};

const Nobody = ({ isFiltered }) =>
  isFiltered
    ? html`<div class="empty">
        <h2>Nobody waits for that</h2>
        <p><a href="waiting">Show all who wait</a></p>
      </div>`
    : html`<div class="empty">
        <h2>Nobody waits</h2>
        <p>Steps that wait for an event, a latch, a time or their next attempt are listed here.</p>
      </div>`;
