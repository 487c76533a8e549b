/** The bars of a timeline, its axis, and the lines across all rows. */

import { html, useRef, useState } from "../vendor/preact.js";
import { formatClock, formatDuration } from "../format/times.js";
import { MAX_BARS, drawDenseBars } from "./dense-bars.js";
import { formatTick } from "./time-scale.js";

const TOP = 8;
const THICKNESS = 14;
const MIDDLE = TOP + THICKNESS / 2;
/** The minimum width of a bar. */
const MIN_WIDTH = 3;
const SEGMENT_GAP = 1.5;
/** Of the events of the workflow, the latest. */
const MAX_MARKS = 200;
/** The approximate width of a character, and the space right of the axis for labels. */
const CHARACTER_WIDTH = 6.5;
export const LABEL_ROOM = 56;
const OUTCOME_WORDS = {
  running: "runs",
  done: "done",
  failed: "failed",
  skipped: "skipped",
  stopped: "stopped",
  delayed: "is to be tried again",
};

/** The bars of a row between `from` and `to`, and a label of the last. `end`: of bars that are still open. */
export function Bars({ row, scale, from, to, end, name }) {
  const visibleBars = row.bars.filter((bar) => (bar.end ?? end) >= from && bar.begin <= to);
  const last = visibleBars.at(-1);
  return html`<svg class="timeline-bars" width="100%" height="30" aria-hidden="true">
    ${
      visibleBars.length > MAX_BARS
        ? html`<${DenseBars} bars=${visibleBars} waits=${row.waits} scale=${scale} end=${end} name=${name} />`
        : visibleBars.map(
            (bar) => html`<${Bar}
              key=${bar.begin}
              bar=${bar}
              waits=${row.waits}
              scale=${scale}
              end=${end}
              name=${name}
            />`,
          )
    }
    ${
      last &&
      html`<${BarLabel}
        texts=${formatBar(last, end)}
        first=${visibleBars[0]}
        last=${last}
        scale=${scale}
        end=${end}
      />`
    }
  </svg>`;
}

/** Many bars, with one tooltip for all. */
function DenseBars({ bars, waits, scale, end, name }) {
  const size = { top: TOP, height: THICKNESS, least: MIN_WIDTH };
  const paths = drawDenseBars(bars, { x: scale.x, end, ...size });
  const counts = paths.map(({ outcome, count }) => `${count.toLocaleString("en")} ${OUTCOME_WORDS[outcome]}`);
  const all = `${name}: ${bars.length.toLocaleString("en")} runs (${counts.join(", ")})`;
  return html`<g>
    <title>${`${all}\nDrag along the axis to see them one by one`}</title>
    ${paths.map(
      ({ outcome, path }) => html`<path
        key=${outcome}
        class=${`segment ${outcome}${waits || outcome === "delayed" ? " waits" : ""}`}
        d=${path}
      />`,
    )}
  </g>`;
}

/** The label of the last bar: after it, else before the first bar, else its short form. */
function BarLabel({ texts, first, last, scale, end }) {
  const [before, after] = [
    scale.x(first.begin) - 6,
    Math.max(scale.x(last.end ?? end), scale.x(last.begin) + MIN_WIDTH) + 6,
  ];
  const [behind, ahead] = [scale.width + LABEL_ROOM - after, before].map((room) =>
    texts.find((text) => text.length * CHARACTER_WIDTH <= room),
  );
  const isBehind = behind === texts[0] || ahead !== texts[0];
  return html`<text
    class="took"
    x=${isBehind ? after : before}
    y=${MIDDLE + 4}
    text-anchor=${isBehind ? "start" : "end"}
  >
    ${isBehind ? behind : ahead}
  </text>`;
}

/** Return the long and the short label of a bar. */
function formatBar(bar, end) {
  const { outcome, attempt } = bar.segments.at(-1);
  if (outcome === "skipped") return ["skipped"];
  const took = formatDuration((bar.end ?? end) - bar.begin);
  const word = outcome === "stopped" || outcome === "failed" ? `, ${outcome}` : "";
  return [`${took}${attempt > 1 ? `, ${attempt} attempts` : ""}${word}`, took];
}

function Bar({ bar, waits, scale, end, name }) {
  return bar.segments.map((segment) => {
    const [x, until] = [scale.x(segment.begin), scale.x(segment.end ?? end)];
    const width = Math.max(MIN_WIDTH, until - x - (segment === bar.segments.at(-1) ? 0 : SEGMENT_GAP));
    const isIdle = waits || segment.outcome === "delayed";
    const kind = `segment ${segment.outcome}${isIdle ? " waits" : ""}`;
    return html`<g key=${segment.begin} class=${kind}>
      <title>${formatTooltip(segment, bar, end, name)}</title>
      <rect x=${x} y=${TOP} width=${width} height=${THICKNESS} rx="3" />
      ${
        isIdle &&
        html`<rect
          class="hatch"
          x=${x}
          y=${TOP}
          width=${width}
          height=${THICKNESS}
          rx="3"
          fill="url(#timeline-hatch)"
        />`
      }
    </g>`;
  });
}

function formatTooltip(segment, bar, end, name) {
  const iso = (time) => new Date(time).toISOString();
  const until = segment.end === null ? "now" : formatClock(iso(segment.end), segment.begin);
  const attempt = bar.segments.length > 1 ? `, attempt ${segment.attempt}` : "";
  const took = formatDuration((segment.end ?? end) - segment.begin);
  return [
    `${name}${attempt}: ${OUTCOME_WORDS[segment.outcome]}`,
    `${formatClock(iso(segment.begin))} – ${until}, ${took}`,
    segment.reason.slice(0, 1000),
  ]
    .filter(Boolean)
    .join("\n");
}

/** The axis with times and cuts. Dragging along it calls `onRange` with the begin and end of a range. */
export function Axis({ scale, onRange }) {
  const svg = useRef(null);
  const [drag, setDrag] = useState(null);
  const pointerX = (event) => event.clientX - svg.current.getBoundingClientRect().left;
  const down = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag([pointerX(event), pointerX(event)]);
  };
  const move = (event) => drag && setDrag([drag[0], pointerX(event)]);
  const up = () => {
    const [left, right] = drag ? [Math.min(...drag), Math.max(...drag)] : [0, 0];
    setDrag(null);
    const range = [scale.time(left), scale.time(right)];
    if (right - left > 8 && range[1] - range[0] >= 20) onRange(range);
  };
  const labels = scale.ticks.map(({ x, time }, place) => ({
    x,
    text: formatTick(time, scale.step, place ? scale.ticks[place - 1].time : null),
  }));
  return html`<svg
    ref=${svg}
    class="timeline-axis"
    width="100%"
    height="32"
    onPointerDown=${down}
    onPointerMove=${move}
    onPointerUp=${up}
    onPointerCancel=${() => setDrag(null)}
  >
    ${labels.map(
      ({ x, text }) => html`<text key=${x} x=${x} y="20" text-anchor=${x < 20 ? "start" : "middle"}>
        ${text}
      </text>`,
    )}
    ${scale.cuts.map(
      ({ x, width, ms }) => html`<g key=${`cut ${x}`}>
        <title>${formatDuration(ms)} without work are omitted</title>
        <text class="cut" x=${x + width / 2} y="20" text-anchor="middle">» ${formatDuration(ms)} «</text>
      </g>`,
    )}
    ${
      drag &&
      html`<rect
        class="range"
        x=${Math.min(...drag)}
        y="0"
        width=${Math.abs(drag[1] - drag[0])}
        height="32"
      />`
    }
  </svg>`;
}

/** Lines across all rows: ticks, cuts, events of the workflow. */
export function Grid({ scale, marks, left, from, to }) {
  const visibleMarks = marks
    .filter(({ at: pointerX, event }) => pointerX >= from && pointerX <= to && event !== "finished")
    .slice(-MAX_MARKS);
  return html`<svg
    class="timeline-grid"
    style=${{ left: `${left}px`, width: `calc(100% - ${left}px)` }}
    height="100%"
    aria-hidden="true"
  >
    <defs>
      <pattern
        id="timeline-hatch"
        width="6"
        height="6"
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)"
      >
        <rect width="2.5" height="6" />
      </pattern>
    </defs>
    ${scale.ticks.map(({ x }) => html`<line key=${x} x1=${x} x2=${x} y1="0" y2="100%" />`)}
    ${scale.cuts.map(
      ({ x, width }) =>
        html`<rect key=${`cut ${x}`} class="cut" x=${x} y="0" width=${width} height="100%" />`,
    )}
    ${visibleMarks.map(
      ({ at: pointerX, event }) => html`<line
        key=${`${event} ${pointerX}`}
        class=${`mark ${event}`}
        x1=${scale.x(pointerX)}
        x2=${scale.x(pointerX)}
        y1="0"
        y2="100%"
      >
        <title>${event}</title>
      </line>`,
    )}
  </svg>`;
}
