/** The bars of a timeline, its axis, and the lines across all rows. */

import { html, useRef, useState } from "../vendor/preact.js";
import { clock, duration } from "../format/times.js";
import { tickLabel } from "./time-scale.js";

const TOP = 8;
const THICK = 14;
const MIDDLE = TOP + THICK / 2;
/** A bar is never less than this, or nobody would see it. */
const LEAST = 3;
const APART = 1.5;
/** Pixels of a letter, roughly; and right of the axis, for what is said of the last bars. */
const LETTER = 6.5;
export const ROOM = 56;
const WORDS = { running: "runs", done: "done", failed: "failed", skipped: "skipped", stopped: "stopped", delayed: "is to be tried again" };

/** All bars of one row, those that reach into the time that is shown. */
export function Bars({ row, scale, from, to, end, name }) {
  const shown = row.bars.filter((bar) => (bar.end ?? end) >= from && bar.begin <= to);
  const last = shown.at(-1);
  return html`<svg class="timeline-bars" width="100%" height="30" aria-hidden="true">
    ${shown.map((bar) => html`<${Bar} key=${bar.begin} bar=${bar} waits=${row.waits} scale=${scale} end=${end} name=${name} />`)}
    ${last && html`<${Beside} texts=${said(last, end)} first=${shown[0]} last=${last} scale=${scale} end=${end} />`}
  </svg>`;
}

/** What is said of the last bar: behind it; if there is no room, before the first; else less of it. */
function Beside({ texts, first, last, scale, end }) {
  const [before, after] = [scale.x(first.begin) - 6, Math.max(scale.x(last.end ?? end), scale.x(last.begin) + LEAST) + 6];
  const [behind, ahead] = [scale.width + ROOM - after, before].map((room) => texts.find((text) => text.length * LETTER <= room));
  const isBehind = behind === texts[0] || ahead !== texts[0];
  return html`<text class="took" x=${isBehind ? after : before} y=${MIDDLE + 4} text-anchor=${isBehind ? "start" : "end"}>${isBehind ? behind : ahead}</text>`;
}

/** What is said of a bar, at length and in short. */
function said(bar, end) {
  const { outcome, attempt } = bar.segments.at(-1);
  if (outcome === "skipped") return ["skipped"];
  const took = duration((bar.end ?? end) - bar.begin);
  const word = outcome === "stopped" || outcome === "failed" ? `, ${outcome}` : "";
  return [`${took}${attempt > 1 ? `, ${attempt} attempts` : ""}${word}`, took];
}

function Bar({ bar, waits, scale, end, name }) {
  return bar.segments.map((segment) => {
    const [x, until] = [scale.x(segment.begin), scale.x(segment.end ?? end)];
    const width = Math.max(LEAST, until - x - (segment === bar.segments.at(-1) ? 0 : APART));
    const isIdle = waits || segment.outcome === "delayed";
    const kind = `segment ${segment.outcome}${isIdle ? " waits" : ""}`;
    return html`<g key=${segment.begin} class=${kind}><title>${hint(segment, bar, end, name)}</title>
      <rect x=${x} y=${TOP} width=${width} height=${THICK} rx="3" />
      ${isIdle && html`<rect class="hatch" x=${x} y=${TOP} width=${width} height=${THICK} rx="3" fill="url(#timeline-hatch)" />`}</g>`;
  });
}

function hint(segment, bar, end, name) {
  const iso = (time) => new Date(time).toISOString();
  const until = segment.end === null ? "now" : clock(iso(segment.end), segment.begin);
  const attempt = bar.segments.length > 1 ? `, attempt ${segment.attempt}` : "";
  const took = duration((segment.end ?? end) - segment.begin);
  return [`${name}${attempt}: ${WORDS[segment.outcome]}`, `${clock(iso(segment.begin))} – ${until}, ${took}`, segment.reason.slice(0, 1000)].filter(Boolean).join("\n");
}

/** Times, and where some are left out. Who drags along it, sees that part alone. */
export function Axis({ scale, onRange }) {
  const svg = useRef(null);
  const [drag, setDrag] = useState(null);
  const at = (event) => event.clientX - svg.current.getBoundingClientRect().left;
  const down = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag([at(event), at(event)]);
  };
  const move = (event) => drag && setDrag([drag[0], at(event)]);
  const up = () => {
    const [left, right] = drag ? [Math.min(...drag), Math.max(...drag)] : [0, 0];
    setDrag(null);
    const range = [scale.time(left), scale.time(right)];
    if (right - left > 8 && range[1] - range[0] >= 20) onRange(range);
  };
  const labels = scale.ticks.map(({ x, time }, place) => ({ x, text: tickLabel(time, scale.step, place ? scale.ticks[place - 1].time : null) }));
  return html`<svg ref=${svg} class="timeline-axis" width="100%" height="32" onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${() => setDrag(null)}>
    ${labels.map(({ x, text }) => html`<text key=${x} x=${x} y="20" text-anchor=${x < 20 ? "start" : "middle"}>${text}</text>`)}
    ${scale.cuts.map(({ x, width, ms }) => html`<g key=${`cut ${x}`}><title>${duration(ms)} in which nothing works are left out</title><text class="cut" x=${x + width / 2} y="20" text-anchor="middle">» ${duration(ms)} «</text></g>`)}
    ${drag && html`<rect class="range" x=${Math.min(...drag)} y="0" width=${Math.abs(drag[1] - drag[0])} height="32" />`}
  </svg>`;
}

/** Lines across all rows: times, what is left out, what happened to the workflow. */
export function Grid({ scale, marks, left, from, to }) {
  const seen = marks.filter(({ at, event }) => at >= from && at <= to && event !== "finished");
  return html`<svg class="timeline-grid" style=${{ left: `${left}px`, width: `calc(100% - ${left}px)` }} height="100%" aria-hidden="true">
    <defs><pattern id="timeline-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2.5" height="6" /></pattern></defs>
    ${scale.ticks.map(({ x }) => html`<line key=${x} x1=${x} x2=${x} y1="0" y2="100%" />`)}
    ${scale.cuts.map(({ x, width }) => html`<rect key=${`cut ${x}`} class="cut" x=${x} y="0" width=${width} height="100%" />`)}
    ${seen.map(({ at, event }) => html`<line key=${`${event} ${at}`} class=${`mark ${event}`} x1=${scale.x(at)} x2=${scale.x(at)} y1="0" y2="100%"><title>${event}</title></line>`)}
  </svg>`;
}
