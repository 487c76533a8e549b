// The page with the list of workflows: live, filtered, in pages.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { useNow, useStream } from "../hooks/live.js";
import { getJson, getPage } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { formatBytes } from "../components/json-view.js";
import { Ago, Duration, StateLabel, StepProgress } from "../components/indicators.js";
import { CopyButton } from "../components/transfer.js";
import { hasEnded, WORKFLOW_STATES } from "../format/state-labels.js";
import { formatClock, formatElapsed, formatExact } from "../format/times.js";
import { useRowKeys } from "../hooks/keys.js";
import { navigate, useRoute } from "../hooks/navigation.js";
import { useAccess } from "../state/access.js";
import { buildAddress, shortenId, workflowAddress } from "../state/address.js";
import { formatWhere, pickFilters } from "../state/list-filter.js";
import { applyListUpdate, createList, MAX_NEW } from "../state/workflow-list.js";
import { BulkActions, MatchActions } from "../views/bulk-actions.js";
import { FilterChips, FilterForm } from "../views/list-filters.js";
import { RestoreButtons } from "../views/restore.js";

const PAGE_SIZE = 50;

export function WorkflowsPage() {
  const { params } = useRoute();
  const may = useAccess();
  const filters = pickFilters(params);
  const where = formatWhere(filters);
  const isBySize = params.sort === "size";
  const query = buildAddress("", {
    where,
    size: PAGE_SIZE,
    ...(isBySize ? { sort: "size" } : { next: params.next }),
  });
  const [list, setList] = useState(null);
  const [next, setNext] = useState(null);
  const [counts, setCounts] = useState(null);
  const [problem, setProblem] = useState(null);
  const [search, setSearch] = useState(null);
  const [selected, setSelected] = useState(new Set());
  const [previousPages, setPreviousPages] = useState([]);
  const latest = useRef("");

  async function load() {
    const requested = (latest.current = query);
    try {
      const rows = getPage(`/workflows${query}`); // first, on the connection that is open
      getJson("/workflows/counts").then(setCounts, () => {}); // rows do not wait for them
      const firstPage = await rows;
      let page = firstPage;
      let examined = page.examined;
      while (!page.items.length && page.next !== null && latest.current === requested) {
        setSearch({ examined, candidates: firstPage.candidates });
        page = await getPage(`/workflows${buildAddress("", { where, size: PAGE_SIZE, next: page.next })}`);
        examined += page.examined;
      }
      if (latest.current !== requested) return; // the filters have changed since
      setSearch(null);
      setList(createList(page.items, { isFirst: !params.next, isLast: page.next === null || isBySize }));
      const visibleIds = new Set(page.items.map((row) => row.id));
      // Actions apply only to visible workflows.
      setSelected((previous) => new Set([...previous].filter((id) => visibleIds.has(id))));
      setNext(page.next);
      setProblem(null);
    } catch (error) {
      if (latest.current !== requested) return;
      setSearch(null);
      setProblem(error);
    }
  }
  useEffect(() => {
    setSelected(new Set());
    load();
  }, [query]);
  useStream("/live", {
    onEvent: (name, update) => {
      if (name !== "workflows") return;
      setCounts(update.counts);
      setList((previous) => previous && applyListUpdate(previous, update, filters));
      if (problem) load();
    },
    onReconnect: load,
  });
  useEffect(() => {
    if (list && !list.rows.length && list.newIds.length && !params.next) load();
  }, [list]);

  useRowKeys();
  const linkTo = (changes) => buildAddress("./", { ...filters, sort: params.sort, ...changes });
  return html`<section class="page">
    <div class="heading">
      <h1>Workflows</h1>
      <div class="buttons">
        <${RestoreButtons} />
        ${may("operate") && html`<a class="button primary" href="start">Start a workflow</a>`}
      </div>
    </div>
    <${StateTabs} counts=${counts} state=${params.state ?? ""} to=${(state) => linkTo({ state })} />
    <${FilterForm} filters=${filters} linkTo=${linkTo}>
      ${!isBySize && html`<a class="quiet" href=${linkTo({ sort: "size" })}>Largest first</a>`}
    <//>
    <${FilterChips} filters=${filters} linkTo=${linkTo} />
    ${
      isBySize &&
      html`<p>
        The largest in Redis of the newest 1,000 that match. <a href=${linkTo({ sort: "" })}>Newest first</a>
      </p>`
    }
    ${
      params.state === "FAILED" &&
      html`<p>
        <a href=${buildAddress("failures", { name: params.name })}>Why they failed, grouped by cause</a>
      </p>`
    }
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${
      where &&
      !filters.parent && // children are changed with their parent
      list?.rows.length > 0 &&
      !selected.size &&
      html`<${MatchActions} key=${where} where=${where} onDone=${load} />`
    }
    ${
      selected.size > 0 &&
      html`<${BulkActions}
        ids=${[...selected]}
        onDone=${() => {
          setSelected(new Set());
          load();
        }}
        onClear=${() => setSelected(new Set())}
      />`
    }
    ${
      list?.newIds.length > 0 &&
      list.rows.length > 0 &&
      html`<button class="fresh" onClick=${() => (params.next ? navigate(linkTo({})) : load())}>
        ${list.newIds.length}${list.newIds.length === MAX_NEW ? " or more" : ""} new
      </button>`
    }
    ${
      !list || search
        ? !problem && html`<p class="loading" role="status">${describeSearch(search)}</p>`
        : list.rows.length
          ? html`<${WorkflowTable}
            rows=${list.rows}
            selected=${selected}
            setSelected=${setSelected}
            linkTo=${linkTo}
            isBySize=${isBySize}
          />`
          : html`<${EmptyList} isFiltered=${where !== ""} counts=${counts} />`
    }
    ${
      list &&
      html`<${Pager}
        next=${next}
        first=${!params.next}
        onNext=${() => {
          setPreviousPages([...previousPages, params.next ?? ""]);
          navigate(linkTo({ next }));
        }}
        onBack=${
          previousPages.length
            ? () => {
                setPreviousPages(previousPages.slice(0, -1));
                navigate(linkTo({ next: previousPages.at(-1) }));
              }
            : null
        }
        newest=${linkTo({})}
      />`
    }
  </section>`;
}

const StateTabs = ({ counts, state, to }) => {
  const all = counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
  const tabs = [
    ["", "All", all],
    ...Object.entries(WORKFLOW_STATES)
      .map(([word, { label }]) => [word, label, counts?.[word]])
      .filter(([word, , count]) => word !== "TERMINATING" || count || word === state),
  ];
  return html`<nav class="tabs" aria-label="States">
    ${tabs.map(
      ([word, label, count]) => html`<a
        key=${word}
        href=${to(word)}
        aria-current=${word === state ? "true" : null}
      >
        ${label}
        <span class="count">${count ? count.toLocaleString("en") : ""}</span>
      </a>`,
    )}
  </nav>`;
};

function WorkflowTable({ rows, selected, setSelected, linkTo, isBySize }) {
  const now = useNow(true);
  const isAllSelected = rows.every((row) => selected.has(row.id));
  const select = (ids, isSelected) => {
    const selection = new Set(selected);
    for (const id of ids) isSelected ? selection.add(id) : selection.delete(id);
    setSelected(selection);
  };
  return html`<table class="list workflows">
    <thead>
      <tr>
        <th class="tick">
          <input
            type="checkbox"
            aria-label="Choose all on this page"
            checked=${isAllSelected}
            onChange=${() =>
              select(
                rows.map((row) => row.id),
                !isAllSelected,
              )}
          />
        </th>
        <th>State</th>
        <th>Workflow</th>
        <th>Started</th>
        <th class="right">Duration</th>
        <th>Steps</th>
        ${isBySize && html`<th class="right">Size</th>`}
        <th>Now</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) => html`<tr
          key=${row.id}
          class=${row.isDeleted ? "gone" : selected.has(row.id) ? "ticked" : ""}
        >
          <td class="tick">
            <input
              type="checkbox"
              aria-label=${`Choose ${shortenId(row.id)}`}
              checked=${selected.has(row.id)}
              onChange=${(event) => select([row.id], event.target.checked)}
            />
          </td>
          <td>
            ${
              row.isDeleted
                ? html`<span class="muted">deleted</span>`
                : html`<${StateLabel} state=${row.state} />`
            }
          </td>
          <td class="name">
            <a class="row-link" href=${workflowAddress(row.id)} title=${row.id}>
              <strong>${row.name || "no name"}</strong> <span class="id">${shortenRowId(row)}</span>
            </a>
            <span class="row-tools">
              ${
                row.name &&
                html`<a class="quiet" href=${linkTo({ name: row.name })} title="Only workflows of this flow">
                  only this flow
                </a>`
              }
              <${CopyButton} text=${row.id} />
            </span>
          </td>
          <td data-label="Started"><${Ago} at=${row.started} now=${now} /></td>
          <td data-label="Duration" class="right">
            <${Duration} start=${row.started} end=${row.ended} now=${now} />
          </td>
          <td data-label="Steps"><${StepProgress} counts=${row.counts} /></td>
          ${
            isBySize &&
            html`<td data-label="Size" class="right number">
              ${row.bytes === undefined ? "" : formatBytes(row.bytes)}
            </td>`
          }
          <td data-label="Now" class="now">${renderNow(row, now)}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Return the id without the name; of a UUID only the beginning, which is distinctive enough. */
const shortenRowId = (row) => {
  const id = shortenId(row.id);
  const rest = row.name && id.startsWith(`${row.name}-`) ? id.slice(row.name.length + 1) : id;
  return UUID.test(rest) ? rest.slice(0, 8) : rest;
};

/** The reason of a failed workflow; of one that runs its current step: what it does, or waits for. */
function renderNow(row, now) {
  if (row.reason) return html`<span class="tone-failed reason" title=${row.reason}>${row.reason}</span>`;
  if (hasEnded(row.state)) return null;
  if (row.paused) return html`<span class="tone-terminating">paused</span>`;
  if (!row.now) return `${row.counts.running} running`;
  const { step, text, since, until } = row.now;
  const times = `for ${formatElapsed(since, null, now)}${until ? `, until ${formatClock(until, now)}` : ""}`;
  const others = row.counts.running - 1;
  return html`<span title=${`since ${formatExact(since)}`}>
    <strong>${step}</strong> ${text}, ${times}${others > 0 && `; ${others} more`}
  </span>`;
}

const Pager = ({ next, first, onNext, onBack, newest }) =>
  (next || !first) &&
  html`<nav class="pager" aria-label="Pages of the list">
    ${!first && html`<a class="button" href=${newest}>Newest</a>`}
    ${onBack && html`<button onClick=${onBack}>Newer</button>`}
    ${next && html`<button onClick=${onNext}>Older</button>`}
  </nav>`;

const describeSearch = (search) =>
  search
    ? `Searching … ${search.examined.toLocaleString("en")} of ${search.candidates.toLocaleString("en")}`
    : "Loading …";

function EmptyList({ isFiltered, counts }) {
  if (isFiltered) {
    return html`<div class="empty">
      <h2>Nothing matches</h2>
      <p>No workflow matches. <a href="./">Show all</a></p>
    </div>`;
  }
  const hasWorkflows = counts && Object.values(counts).some(Boolean);
  if (hasWorkflows)
    return html`<div class="empty"><h2>This page is empty now</h2><p><a href="./">Show all</a></p></div>`;
  return html`<div class="empty">
    <h2>No workflows yet</h2>
    <p><a class="button primary" href="start">Start a workflow</a></p>
    <p>or on the command line:</p>
    <pre>echo 'hello -> world' | lfr run - --wait</pre>
    <p class="muted">Drop a flow here to start it, or an archive to restore it.</p>
  </div>`;
}
