/** The timeline of a workflow: when its steps ran, attempt by attempt, and what they waited for each other. */

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { titleOf } from "../graph/labels.js";
import { STEP_STATES } from "../format/state-labels.js";
import { clock } from "../format/times.js";
import { readHistory, rowsToShow, runs } from "./history-rows.js";
import { makeScale, piecesOf } from "./time-scale.js";
import { Axis, Bars, Grid, ROOM } from "./bars.js";

const ROW = 30;
const BEYOND = 10;
const NARROW = 560;

/**
 * @param {object} props
 * @param {object[]} props.facts the whole history, oldest first
 * @param {object} props.flow
 * @param {object[]} [props.steps] the steps as the API tells them, for their states
 * @param {number} props.now in milliseconds
 * @param {number|null} [props.chosen]
 * @param {(index: number) => void} [props.onChoose]
 */
export function Timeline({ facts, flow, steps = [], now, chosen = null, onChoose }) {
  const history = useMemo(() => readHistory(facts, flow), [facts, flow]);
  const states = useMemo(() => new Map(steps.map((step) => [step.index, step.state])), [steps]);
  if (!history) return html`<p class="timeline-note">Nothing has happened yet. Each step that starts gets a bar here: when it began, how long it took, each of its attempts.</p>`;
  return html`<${Chart} history=${history} flow=${flow} states=${states} now=${now} chosen=${chosen} onChoose=${onChoose} />`;
}

function Chart({ history, flow, states, now, chosen, onChoose }) {
  const [opened, setOpened] = useState(new Set());
  const [range, setRange] = useState(null);
  const { pane, width, height, top } = usePane();
  const names = width < NARROW ? 128 : Math.min(260, Math.round(width * 0.24));
  const end = Math.max(history.last, history.isOpen ? now : 0, history.begin + 1);
  const [from, to] = range ?? [history.begin, end];
  const pieces = useMemo(() => piecesOf(history, from, to), [history, from, to]);
  const scale = useMemo(() => makeScale(pieces, Math.max(80, width - names - ROOM)), [pieces, width, names]);
  const rows = useMemo(() => rowsToShow(history, opened), [history, opened]);
  const first = Math.max(0, Math.floor(top / ROW) - BEYOND);
  const shown = rows.slice(first, Math.ceil((top + height) / ROW) + BEYOND);
  const pending = [...states.values()].filter((state) => state === "PENDING").length;
  useReveal(pane, rows, chosen);

  const toggle = (index) => {
    const after = new Set(opened);
    if (!after.delete(index)) after.add(index);
    setOpened(after);
  };
  const clicked = (event) => {
    const open = event.target.closest("[data-open]");
    const row = event.target.closest("[data-row]");
    if (open) toggle(Number(open.dataset.open));
    else if (row) onChoose?.(Number(row.dataset.row));
  };
  return html`<div class="timeline" onClick=${clicked}>
    <div class="timeline-head" style=${{ gridTemplateColumns: `${names}px 1fr` }}>
      <div class="timeline-day">${scale.ticks.length ? dayOf(from) : `from ${clock(new Date(from).toISOString(), from)}`}${range && html`<button onClick=${() => setRange(null)}>Whole</button>`}</div>
      <${Axis} scale=${scale} onRange=${setRange} />
    </div>
    <div class="timeline-rows" ref=${pane} tabindex="-1">
      <div class="timeline-all" style=${{ height: `${rows.length * ROW}px` }}>
        <${Grid} scale=${scale} marks=${history.marks} left=${names} from=${from} to=${to} />
        <div class="timeline-shown" style=${{ transform: `translateY(${first * ROW}px)` }}>
          ${shown.map((row) => row.more
            ? html`<div key=${row.key} class="timeline-row more">and ${row.more.toLocaleString("en")} more items</div>`
            : html`<${Line} key=${row.key} row=${row} step=${flow.steps[row.index]} state=${stateOf(row, states)} names=${names} scale=${scale}
                from=${from} to=${to} end=${end} isChosen=${row.index === chosen} isOpen=${opened.has(row.index)} />`)}
        </div>
      </div>
    </div>
    <p class="timeline-foot"><span class="key work">works</span><span class="key wait">waits</span><span class="key failed">failed attempt</span>
      ${pending > 0 && html`<span>${pending.toLocaleString("en")} ${pending === 1 ? "step has" : "steps have"} not begun</span>`}
      <span class="hint">Drag along the times to see a part of them</span></p>
  </div>`;
}

function Line({ row, step, state, names, scale, from, to, end, isChosen, isOpen }) {
  const told = STEP_STATES[state];
  const isItem = row.item !== null;
  const title = isItem ? `item ${row.item}` : titleOf(step);
  const bars = useMemo(
    () => html`<${Bars} row=${row} scale=${scale} from=${from} to=${to} end=${end} name=${title} />`,
    [row, scale, from, to, runs(row) ? end : 0],
  );
  return html`<div class=${`timeline-row state-${told?.tone ?? "pending"}${isChosen && !isItem ? " chosen" : ""}${isItem ? " item" : ""}`}
      data-row=${row.index} style=${{ gridTemplateColumns: `${names}px 1fr` }}>
    <div class="timeline-name">
      ${row.items > 0 && html`<button class="open" data-open=${row.index} aria-expanded=${isOpen ? "true" : "false"} aria-label=${`${row.items} items`} title=${`${row.items} items`}>${isOpen ? "▾" : "▸"}</button>`}
      <button class="choose" title=${`${isItem ? "" : `${row.index}: `}${title}, ${told?.label ?? state}`} aria-pressed=${isChosen ? "true" : "false"}>
        <svg viewBox="0 0 16 16" width="12" height="12" role="img" aria-label=${told?.label ?? state}><path d=${told?.icon} /></svg>
        <span class="name">${title}</span>${row.bars.length > 1 && html`<span class="times" title=${`ran ${row.bars.length} times`}>×${row.bars.length}</span>`}
      </button>
    </div>
    ${bars}
  </div>`;
}

const OF_OUTCOME = { running: "RUNNING", done: "DONE", failed: "FAILED", skipped: "SKIPPED", stopped: "PENDING", delayed: "RUNNING" };
const stateOf = (row, states) => (row.item === null ? states.get(row.index) : null) ?? OF_OUTCOME[row.bars.at(-1).segments.at(-1).outcome];

const dayOf = (time) => {
  const at = new Date(time);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
};

/** How large the pane of rows is, and how far it is scrolled. */
function usePane() {
  const pane = useRef(null);
  const [seen, setSeen] = useState({ width: 900, height: 600, top: 0 });
  useLayoutEffect(() => {
    const element = pane.current;
    const look = () => setSeen({ width: element.clientWidth, height: element.clientHeight, top: element.scrollTop });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  return { pane, ...seen };
}

/** A step that is chosen elsewhere is brought into sight. */
function useReveal(pane, rows, chosen) {
  useEffect(() => {
    const place = rows.findIndex((row) => row.index === chosen && !row.more);
    const { scrollTop, clientHeight } = pane.current;
    if (place < 0 || (place * ROW >= scrollTop && (place + 1) * ROW <= scrollTop + clientHeight)) return;
    pane.current.scrollTop = place * ROW - clientHeight / 2;
  }, [chosen]);
}
