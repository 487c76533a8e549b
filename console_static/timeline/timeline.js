/** The timeline of a workflow: a row for each step, a bar for each attempt. */

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { formatTitle } from "../graph/labels.js";
import { describeActor } from "../format/actors.js";
import { STEP_STATES } from "../format/state-labels.js";
import { formatClock, formatDate } from "../format/times.js";
import { buildHistory, listVisibleRows, isRunning } from "./history-rows.js";
import { createScale, splitTime } from "./time-scale.js";
import { Axis, Bars, Grid, LABEL_ROOM } from "./bars.js";

const ROW_HEIGHT = 30;
const OVERSCAN = 10;
const NARROW_WIDTH = 560;
const MOST_CHANGES = 20; // of those by hand, the latest

/**
 * @param {object} props
 * @param {object[]} props.facts the whole history, oldest first
 * @param {object} props.flow
 * @param {any[]} [props.steps] from the API, for their states
 * @param {number} props.now in milliseconds
 * @param {number|null} [props.chosen]
 * @param {(index: number) => void} [props.onChoose]
 */
export function Timeline({ facts, flow, steps = [], now, chosen = null, onChoose }) {
  const history = useMemo(() => buildHistory(facts, flow), [facts, flow]);
  const states = useMemo(() => new Map(steps.map((step) => [step.index, step.state])), [steps]);
  if (!history)
    return html`<p class="timeline-note">
      Nothing has happened yet. Each step that starts gets a bar here: when it began, how long it took, each
      of its attempts.
    </p>`;
  return html`<${Chart}
    facts=${facts}
    history=${history}
    flow=${flow}
    states=${states}
    now=${now}
    chosen=${chosen}
    onChoose=${onChoose}
  />`;
}

function Chart({ facts, history, flow, states, now, chosen, onChoose }) {
  const [openSteps, setOpenSteps] = useState(new Set());
  const [range, setRange] = useState(null);
  const { pane, width, height, top } = usePane();
  const nameWidth = width < NARROW_WIDTH ? 128 : Math.min(260, Math.round(width * 0.24));
  const end = Math.max(history.last, history.isOpen ? now : 0, history.begin + 1);
  const [from, to] = range ?? [history.begin, end];
  const start = new Date(from);
  const pieces = useMemo(() => splitTime(history, from, to), [history, from, to]);
  const scale = useMemo(
    () => createScale(pieces, Math.max(80, width - nameWidth - LABEL_ROOM)),
    [pieces, width, nameWidth],
  );
  const rows = useMemo(() => listVisibleRows(history, openSteps), [history, openSteps]);
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - OVERSCAN);
  const visibleRows = rows.slice(first, Math.ceil((top + height) / ROW_HEIGHT) + OVERSCAN);
  const pending = [...states.values()].filter((state) => state === "PENDING").length;
  useReveal(pane, rows, chosen);

  const toggle = (index) => {
    const after = new Set(openSteps);
    if (!after.delete(index)) after.add(index);
    setOpenSteps(after);
  };
  const handleClick = (event) => {
    const open = event.target.closest("[data-open]");
    const row = event.target.closest("[data-row]");
    if (open) toggle(Number(open.dataset.open));
    else if (row) onChoose?.(Number(row.dataset.row));
  };
  return html`<div class="timeline" onClick=${handleClick}>
    <div class="timeline-head" style=${{ gridTemplateColumns: `${nameWidth}px 1fr` }}>
      <div class="timeline-day">
        ${scale.ticks.length ? formatDate(start) : `from ${formatClock(start.toISOString(), from)}`}
        ${range && html`<button onClick=${() => setRange(null)}>Whole</button>`}
      </div>
      <${Axis} scale=${scale} onRange=${setRange} />
    </div>
    <div class="timeline-rows" ref=${pane} tabindex="-1">
      <div class="timeline-all" style=${{ height: `${rows.length * ROW_HEIGHT}px` }}>
        <${Grid} scale=${scale} marks=${history.marks} left=${nameWidth} from=${from} to=${to} />
        <div class="timeline-shown" style=${{ transform: `translateY(${first * ROW_HEIGHT}px)` }}>
          ${visibleRows.map((row) =>
            row.more
              ? html`<div key=${row.key} class="timeline-row more">
                and ${row.more.toLocaleString("en")} more items
              </div>`
              : html`<${TimelineRow}
                key=${row.key}
                row=${row}
                flow=${flow}
                state=${deriveState(row, states)}
                nameWidth=${nameWidth}
                scale=${scale}
                from=${from}
                to=${to}
                end=${end}
                isChosen=${row.index === chosen}
                isOpen=${openSteps.has(row.index)}
              />`,
          )}
        </div>
      </div>
    </div>
    ${
      history.byHand.length > 0 &&
      html`<ul class="timeline-by-hand" aria-label="Changes by hand">
        ${history.byHand.slice(-MOST_CHANGES).map(
          (fact) => html`<li key=${`${fact.at} ${fact.event}`}>
            ${formatClock(fact.at, now)} ${isOfStep(fact, flow) ? `step ${fact.index} ` : ""}${fact.event}
            ${" "}${describeActor(fact)}
          </li>`,
        )}
      </ul>`
    }
    <p class="timeline-foot">
      <span class="key work">works</span>
      <span class="key wait">waits</span>
      <span class="key failed">failed attempt</span>
      ${facts[0].event === "removed" && html`<span class="removed">${facts[0].reason}</span>`}
      ${
        pending > 0 &&
        html`<span>
          ${pending.toLocaleString("en")} ${pending === 1 ? "step has" : "steps have"} not begun
        </span>`
      }
      <span class="hint">Drag along the axis to zoom in</span>
    </p>
  </div>`;
}

/** Return whether a change by hand was made to a step, not to the workflow. */
const isOfStep = ({ index }, flow) => index !== null && flow.steps[index]?.kind !== "start";

function TimelineRow({ row, flow, state, nameWidth, scale, from, to, end, isChosen, isOpen }) {
  const style = STEP_STATES[state];
  const isItem = row.item !== null;
  const step = flow.steps[row.index];
  const role = isItem ? " item" : isChosen ? " chosen" : "";
  const title = !isItem ? formatTitle(step, flow) : step.call ? "child" : `item ${row.item}`;
  const bars = useMemo(
    () => html`<${Bars} row=${row} scale=${scale} from=${from} to=${to} end=${end} name=${title} />`,
    [row, scale, from, to, isRunning(row) ? end : 0],
  );
  return html`<div
    class=${`timeline-row state-${style?.tone ?? "pending"}${role}`}
    data-row=${row.index}
    style=${{ gridTemplateColumns: `${nameWidth}px 1fr` }}
  >
    <div class="timeline-name">
      ${
        row.items > 0 &&
        html`<button
          class="open"
          data-open=${row.index}
          aria-expanded=${isOpen ? "true" : "false"}
          aria-label=${`${row.items} items`}
          title=${`${row.items} items`}
        >
          ${isOpen ? "▾" : "▸"}
        </button>`
      }
      <button
        class="choose"
        title=${`${isItem ? "" : `${row.index}: `}${title}, ${style?.label ?? state}`}
        aria-pressed=${isChosen ? "true" : "false"}
      >
        <svg viewBox="0 0 16 16" width="12" height="12" role="img" aria-label=${style?.label ?? state}>
          <path d=${style?.icon} />
        </svg>
        <span class="name">${title}</span>
        ${
          row.bars.length > 1 &&
          html`<span class="times" title=${`ran ${row.bars.length} times`}>×${row.bars.length}</span>`
        }
      </button>
    </div>
    ${bars}
  </div>`;
}

const STATE_BY_OUTCOME = {
  running: "RUNNING",
  done: "DONE",
  failed: "FAILED",
  skipped: "SKIPPED",
  stopped: "STOPPED",
  delayed: "RUNNING",
};
const deriveState = (row, states) =>
  (row.item === null ? states.get(row.index) : null) ??
  STATE_BY_OUTCOME[row.bars.at(-1).segments.at(-1).outcome];

/** Return the size and the scroll position of the pane of rows. */
function usePane() {
  const pane = useRef(null);
  const [size, setSize] = useState({ width: 900, height: 600, top: 0 });
  useLayoutEffect(() => {
    const element = pane.current;
    const measure = () =>
      setSize({ width: element.clientWidth, height: element.clientHeight, top: element.scrollTop });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  return { pane, ...size };
}

/** Scroll to a step that was chosen elsewhere. */
function useReveal(pane, rows, chosen) {
  useEffect(() => {
    const position = rows.findIndex((row) => row.index === chosen && !row.more);
    const { scrollTop, clientHeight } = pane.current;
    if (
      position < 0 ||
      (position * ROW_HEIGHT >= scrollTop && (position + 1) * ROW_HEIGHT <= scrollTop + clientHeight)
    )
      return;
    pane.current.scrollTop = position * ROW_HEIGHT - clientHeight / 2;
  }, [chosen]);
}
