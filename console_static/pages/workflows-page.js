// The list of workflows: live, by state, by a text in id or name, page by page.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { getPage, get } from "../client/api.js";
import { ACTIONS } from "../client/action-words.js";
import { MOST_FRESH, forEach, makeList, takeNews } from "../state/workflow-list.js";
import { address, shortId, workflowPath } from "../state/address.js";
import { WORKFLOW_STATES, hasEnded } from "../format/state-labels.js";
import { act, downloadArchive } from "../client/actions.js";
import { Copy } from "../components/copy-button.js";
import { Progress } from "../components/step-progress.js";
import { Confirm, Dialog, Trouble } from "../components/dialog.js";
import { PickFile } from "../components/files.js";
import { useRowKeys } from "../hooks/keys.js";
import { useLive } from "../hooks/live.js";
import { go, useRoute } from "../hooks/navigation.js";
import { Ago, Duration, useNow } from "../hooks/now.js";
import { State } from "../components/state-label.js";
import { receive } from "./start-page.js";

const PAGE = 50;

export function WorkflowsPage() {
  const { params } = useRoute();
  const chosen = { state: params.state, name: params.name, text: params.text };
  const query = address("", { ...chosen, size: PAGE, next: params.next });
  const [list, setList] = useState(null);
  const [next, setNext] = useState(null);
  const [counts, setCounts] = useState(null);
  const [problem, setProblem] = useState(null);
  const [ticked, setTicked] = useState(new Set());
  const [trail, setTrail] = useState([]);
  const latest = useRef("");

  async function load() {
    const asked = (latest.current = query);
    try {
      const [page, numbers] = await Promise.all([getPage(`/workflows${query}`), get("/workflows/counts")]);
      if (latest.current !== asked) return; // another choice was made meanwhile
      setList(makeList(page.items, { isFirst: !params.next, isLast: page.next === null }));
      const shown = new Set(page.items.map((row) => row.id));
      setTicked((was) => new Set([...was].filter((id) => shown.has(id)))); // nothing is done to what nobody sees
      setNext(page.next);
      setCounts(numbers);
      setProblem(null);
    } catch (error) {
      if (latest.current === asked) setProblem(error);
    }
  }
  useEffect(() => {
    setTicked(new Set());
    load();
  }, [query]);
  useLive("/live", {
    news: (name, news) => {
      if (name !== "workflows") return;
      setCounts(news.counts);
      setList((was) => was && takeNews(was, news, chosen));
      if (problem) load();
    },
    join: load,
  });
  useEffect(() => {
    if (list && !list.rows.length && list.fresh.length && !params.next) load();
  }, [list]);

  useRowKeys();
  const change = (changes) => address("/", { ...chosen, ...changes });
  return html`<section class="page">
    <div class="heading">
      <h1>Workflows</h1>
      <div class="buttons">
        <${PickFile} label="Restore an archive" accept=".json,application/json" onFile=${receive} />
        <a class="button primary" href="/start">Start a workflow</a>
      </div>
    </div>
    <${Tabs} counts=${counts} state=${params.state ?? ""} to=${(state) => change({ state })} />
    ${(params.text || params.name) && html`<p class="chips">
      ${params.text && html`<a class="chip" href=${change({ text: "" })}>with “${params.text}” <span aria-label="remove">×</span></a>`}
      ${params.name && html`<a class="chip" href=${change({ name: "" })}>of the flow ${params.name} <span aria-label="remove">×</span></a>`}
    </p>`}
    ${problem && html`<${Trouble} problem=${problem} />`}
    ${ticked.size > 0 && html`<${Bulk} ids=${[...ticked]} onDone=${() => { setTicked(new Set()); load(); }} onClear=${() => setTicked(new Set())} />`}
    ${list?.fresh.length > 0 && list.rows.length > 0 && html`<button class="fresh" onClick=${() => (params.next ? go(change({})) : load())}>${list.fresh.length}${list.fresh.length === MOST_FRESH ? " or more" : ""} new</button>`}
    ${!list ? !problem && html`<p class="loading">Loading …</p>` : list.rows.length
      ? html`<${Rows} rows=${list.rows} ticked=${ticked} setTicked=${setTicked} change=${change} />`
      : html`<${Empty} chosen=${chosen} more=${next} counts=${counts} />`}
    ${list && html`<${Pager} next=${next} first=${!params.next} rows=${list.rows.length}
      onNext=${() => { setTrail([...trail, params.next ?? ""]); go(change({ next })); }}
      onBack=${trail.length ? () => { setTrail(trail.slice(0, -1)); go(change({ next: trail.at(-1) })); } : null}
      newest=${change({})} />`}
  </section>`;
}

const Tabs = ({ counts, state, to }) => {
  const all = counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
  const tabs = [["", "All", all], ...Object.entries(WORKFLOW_STATES).map(([word, { label }]) => [word, label, counts?.[word]])];
  return html`<nav class="tabs" aria-label="States">${tabs.map(([word, label, count]) => html`
    <a key=${word} href=${to(word)} aria-current=${word === state ? "true" : null}>${label}
      <span class="count">${count?.toLocaleString("en") ?? ""}</span></a>`)}</nav>`;
};

function Rows({ rows, ticked, setTicked, change }) {
  const now = useNow(true);
  const all = rows.every((row) => ticked.has(row.id));
  const tick = (ids, on) => {
    const after = new Set(ticked);
    for (const id of ids) on ? after.add(id) : after.delete(id);
    setTicked(after);
  };
  return html`<table class="list workflows">
    <thead><tr>
      <th class="tick"><input type="checkbox" aria-label="Choose all on this page" checked=${all} onChange=${() => tick(rows.map((row) => row.id), !all)} /></th>
      <th>State</th><th>Workflow</th><th>Started</th><th class="right">Duration</th><th>Steps</th><th>Now</th>
    </tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.id} class=${row.isGone ? "gone" : ticked.has(row.id) ? "ticked" : ""}>
      <td class="tick"><input type="checkbox" aria-label=${`Choose ${shortId(row.id)}`} checked=${ticked.has(row.id)} onChange=${(event) => tick([row.id], event.target.checked)} /></td>
      <td>${row.isGone ? html`<span class="muted">deleted</span>` : html`<${State} state=${row.state} />`}</td>
      <td class="name"><a class="row-link" href=${workflowPath(row.id)} title=${row.id}><strong>${row.name || "no name"}</strong> <span class="id">${tail(row)}</span></a>
        <span class="row-tools">${row.name && html`<a class="quiet" href=${change({ name: row.name })} title="Only workflows of this flow">of this flow</a>`}<${Copy} text=${row.id} /></span></td>
      <td data-label="Started"><${Ago} at=${row.started} now=${now} /></td>
      <td data-label="Duration" class="right"><${Duration} start=${row.started} end=${row.ended} now=${now} /></td>
      <td data-label="Steps"><${Progress} counts=${row.counts} /></td>
      <td data-label="Now" class="now">${nowText(row)}</td>
    </tr>`)}</tbody>
  </table>`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What of the id the name does not say; of a random one the beginning, as it is enough to tell it from others. */
const tail = (row) => {
  const id = shortId(row.id);
  const rest = row.name && id.startsWith(`${row.name}-`) ? id.slice(row.name.length + 1) : id;
  return UUID.test(rest) ? rest.slice(0, 8) : rest;
};

/** What a workflow is at: its running steps, or why it failed. */
function nowText(row) {
  if (row.reason) return html`<span class="tone-failed reason" title=${row.reason}>${row.reason}</span>`;
  if (hasEnded(row.state)) return null;
  return `${row.counts.running} running`;
}

function Bulk({ ids, onDone, onClear }) {
  const [action, setAction] = useState(null);
  const [refused, setRefused] = useState(null);
  const what = ids.length === 1 ? shortId(ids[0]) : `${ids.length} workflows`;
  async function archive() {
    const against = await forEach(ids, downloadArchive, 1);
    if (against.size) setRefused(against);
  }
  return html`<div class="bulk" role="toolbar" aria-label="For what is chosen"><span>${ids.length} chosen</span>
    ${Object.entries(ACTIONS).map(([word, { label }]) => html`<button key=${word} onClick=${() => setAction(word)}>${label}</button>`)}
    <button onClick=${archive}>Download archives</button>
    <button class="quiet" onClick=${onClear}>Choose none</button>
    ${action && html`<${Confirm} title=${ACTIONS[action].ask(what)} word=${`${ACTIONS[action].label} ${ids.length}`} danger=${ACTIONS[action].danger}
      act=${() => forEach(ids, (id) => act(action, id))} onClose=${() => setAction(null)}
      onDone=${(against) => { if (against.size) setRefused(against); else onDone(); }}>
      <p>${ACTIONS[action].means}</p><ul class="ids">${ids.slice(0, 20).map((id) => html`<li>${shortId(id)}</li>`)}${ids.length > 20 && html`<li>… and ${ids.length - 20} more</li>`}</ul><//>`}
    ${refused && html`<${Dialog} title=${`${refused.size} of ${ids.length} could not be done`} onClose=${() => { setRefused(null); onDone(); }}>
      <ul class="ids">${[...refused].slice(0, 50).map(([id, problem]) => html`<li><strong>${shortId(id)}</strong>: ${problem.message}</li>`)}</ul>
      <div class="buttons"><button onClick=${() => { setRefused(null); onDone(); }}>Close</button></div><//>`}
  </div>`;
}

const Pager = ({ next, first, rows, onNext, onBack, newest }) =>
  (next || !first) && html`<nav class="pager" aria-label="Pages of the list">
    ${!first && html`<a class="button" href=${newest}>Newest</a>`}
    ${onBack && html`<button onClick=${onBack}>Newer</button>`}
    ${next && html`<button onClick=${onNext}>${rows ? "Older" : "Look further"}</button>`}
  </nav>`;

function Empty({ chosen, more, counts }) {
  if (chosen.state || chosen.text || chosen.name) {
    return html`<div class="empty"><h2>Nothing fits${more ? " so far" : ""}</h2>
      <p>${more ? "The newest have been looked through; older ones may fit." : "No workflow is like that."} <a href="/">Show all</a></p></div>`;
  }
  const any = counts && Object.values(counts).some(Boolean);
  if (any) return html`<div class="empty"><h2>Nothing here any more</h2><p><a href="/">Show all</a></p></div>`;
  return html`<div class="empty"><h2>No workflows yet</h2>
    <p><a class="button primary" href="/start">Start a workflow</a></p>
    <p>or on the command line:</p><pre>echo 'hello -> world' | lfr run - --wait</pre>
    <p class="muted">A flow that is dropped here is started, an archive is restored.</p></div>`;
}
