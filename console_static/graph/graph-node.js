/** The nodes and subflow boxes of the graph. */

import { html, useMemo } from "../vendor/preact.js";
import { formatItemCounts, formatSubflowCounts, formatNodeTexts } from "./step-states.js";
import { truncateToWidth } from "./labels.js";
import { STEP_STATES } from "../format/state-labels.js";

const INSET = 12;
const ICON = 16;
const FOLD = 18;
/** The distance of the outline of chosen and focused nodes. */
const HALO = 4;

/**
 * A node of the graph.
 * @param {object} props
 * @param {import("./graph-model.js").Node} props.node
 * @param {{x: number, y: number}} props.at
 * @param {any} props.step from the API; null in a graph without states
 * @param {string|null} props.state null: none
 * @param {string} props.figures the counts of a folded subflow
 * @param {boolean} props.isChosen
 * @param {boolean} props.isFound whether it is the step that somebody has searched
 * @param {boolean} props.isEntry whether Tab moves the focus to it
 * @param {boolean} props.isVertical whether the graph runs from top to bottom
 * @param {number} props.now
 * @param {Function} props.measure
 */
export function Node({
  node,
  at,
  step,
  state,
  figures,
  isChosen,
  isFound,
  isEntry,
  isVertical,
  now,
  measure,
}) {
  const shownAt = state === "RUNNING" ? now : startOfDay(now);
  return useMemo(() => {
    const style = STEP_STATES[state];
    const { took, times } = step ? formatNodeTexts(step, state, shownAt) : { took: "", times: [] };
    const isSmall = node.width < 40;
    const words = [node.hint[0], step ? (style?.label ?? state) : "", took, step?.reason ?? ""]
      .filter(Boolean)
      .join(", ");
    const tone = step ? `state-${style?.tone ?? "pending"}` : "plain";
    const name = `node kind-${node.kind} ${tone}${isChosen ? " chosen" : ""}${isFound ? " found" : ""}`;
    const inside = { node, step, style, state, figures, took, times, isVertical, measure };
    return html`<g
        class=${name}
      transform=${`translate(${at.x} ${at.y})`}
      data-index=${node.id}
      tabindex=${isEntry ? 0 : -1}
      role="button"
      aria-label=${words}
      aria-pressed=${isChosen ? "true" : "false"}
    >
      <title>${buildTooltip(node, step, style?.label ?? state)}</title>
        ${isSmall ? html`<${RoundNode} ...${inside} />` : html`<${CardNode} ...${inside} />`}
      </g>
      ${
        node.kind === "folded" &&
        html`<${FoldButton}
          id=${node.id}
          x=${at.x + node.width - FOLD - 4}
          y=${at.y + node.tab + 4}
          name=${node.title}
          isFolded=${true}
        />`
      }`;
  }, [node, at, step, state, figures, isChosen, isFound, isEntry, shownAt]);
}

/** The texts of steps that do not run change at most daily. */
const startOfDay = (now) => new Date(now).setHours(0, 0, 0, 0);

function buildTooltip(node, step, word) {
  if (!step) return node.hint.join("\n");
  const attempt = (step.tries > 1 ? `, attempt ${step.tries}` : "") + (step.simulated ? ", simulated" : "");
  const lines = [
    step.reason,
    step.progress?.text,
    step.items ? `items: ${formatItemCounts(step.items)}` : "",
  ];
  return [`${word}${attempt}`, ...lines, ...node.hint]
    .filter(Boolean)
    .map((line) => line.slice(0, 1000))
    .join("\n");
}

function RoundNode({ node, step, style, isVertical }) {
  const middle = node.width / 2;
  const [x, y, anchor] = isVertical
    ? [node.width + 6, middle + 4, "start"]
    : [middle, node.height + 12, "middle"];
  return html`
    <circle class="halo" cx=${middle} cy=${middle} r=${middle + HALO} />
    <circle class="card" cx=${middle} cy=${middle} r=${middle} />
    ${
      node.width > 20 &&
      step &&
      style &&
      html`<path
        class="icon"
        transform=${`translate(${middle - 6} ${middle - 6}) scale(0.75)`}
        d=${style.icon}
      />`
    }
    ${node.width > 20 && html`<text class="below" x=${x} y=${y} text-anchor=${anchor}>${node.title}</text>`}
  `;
}

function CardNode({ node, step, style, state, figures, took, times, measure }) {
  const height = node.height - node.tab;
  const right = node.width - INSET;
  const measureSmall = (text) => measure(text, "small");
  const fits = chooseFitting(times, right - INSET, measureSmall);
  const isFlat = node.kind === "literal";
  const left = INSET + (step ? measureSmall(formatState(step, style, state)) + 12 : 0);
  const count = node.kind === "folded" ? figures : step?.items ? formatItemCounts(step.items) : "";
  const beside = chooseFitting(
    [[count, took].filter(Boolean).join(" · "), count || took],
    right - left,
    measureSmall,
  );
  return html`
    <rect
      class="halo"
      x=${-HALO}
      y=${node.tab - HALO}
      width=${node.width + 2 * HALO}
      height=${height + 2 * HALO}
      rx=${8 + HALO}
    />
    ${
      node.kind === "folded" &&
      html`<rect class="card under" x="4" y=${node.tab + 4} width=${node.width} height=${height} rx="8" />`
    }
    <rect class="card" y=${node.tab} width=${node.width} height=${height} rx="8" />
    ${node.guard && html`<${GuardTab} text=${node.guard} width=${measureSmall(node.guard)} y=${node.tab} />`}
    ${state === "RUNNING" && html`<circle class="ring" cx=${INSET + ICON / 2} cy=${node.tab + 21} r="11" />`}
    ${
      step &&
      style &&
      html`<path class="icon" transform=${`translate(${INSET} ${node.tab + 13})`} d=${style.icon} />`
    }
    ${
      step &&
      style &&
      html`<path
        class="icon from-far"
        transform=${`translate(${node.width / 2 - 18} ${node.tab + height / 2 - 18}) scale(2.25)`}
        d=${style.icon}
      />`
    }
    <text
      class=${`title ${node.kind}`}
      x=${step ? INSET + ICON + 8 : INSET}
      y=${node.tab + (step || node.about ? 25 : height / 2 + 4.5)}
    >
      ${node.signs && html`<tspan class="signs">${node.signs} </tspan>`}
      ${node.title}
    </text>
    ${
      step &&
      html`<text class="word" x=${INSET} y=${node.tab + (isFlat ? 39 : 41)}>
        ${style?.label ?? state}
        ${step.tries > 1 ? html`<tspan class="attempt"> · attempt ${step.tries}</tspan>` : ""}
        ${step.simulated ? html`<tspan class="attempt"> · simulated</tspan>` : ""}
      </text>`
    }
    ${
      step &&
      !isFlat &&
      html`<text class="took" x=${right} y=${node.tab + 41} text-anchor="end">${beside}</text>`
    }
    ${
      !isFlat &&
      html`<text class="times" x=${INSET} y=${node.tab + (step ? 55 : 42)}>
        ${fits || truncateToWidth(node.about, right - INSET, measureSmall)}
      </text>`
    }
    ${
      state === "RUNNING" &&
      html`<${ProgressBar} step=${step} width=${node.width - 2 * INSET} y=${node.height - 3.5} />`
    }
  `;
}

const chooseFitting = (texts, room, measure) => texts.find((text) => measure(text) <= room) ?? "";

const formatState = (step, style, state) =>
  [style?.label ?? state, step.tries > 1 && `attempt ${step.tries}`, step.simulated && "simulated"]
    .filter(Boolean)
    .join(" · ");

const GuardTab = ({ text, width, y }) => html`<g class="guard">
  <rect x=${INSET - 4} y=${y - 10} width=${Math.ceil(width) + 16} height="18" rx="9" />
  <text x=${INSET + 4} y=${y + 3}>${text}</text>
</g>`;

/** The progress of a running step, if it is known. */
function ProgressBar({ step, width, y }) {
  const share = step.items?.total ? step.items.done / step.items.total : step.progress?.fraction;
  if (share === undefined || share === null) return null;
  return html`
    <rect class="share-ground" x=${INSET} y=${y} width=${width} height="2" rx="1" />
    <rect
      class="share"
      x=${INSET}
      y=${y}
      width=${Math.max(0, Math.min(1, share)) * width}
      height="2"
      rx="1"
    />
  `;
}

const FoldButton = ({ id, x, y, name, isFolded }) => html`<g
  class="fold"
  transform=${`translate(${x} ${y})`}
  data-fold=${id}
  tabindex="0"
  role="button"
  aria-expanded=${isFolded ? "false" : "true"}
  aria-label=${`${isFolded ? "Show the steps of" : "Fold"} ${name || "this subflow"}`}
>
  <title>${isFolded ? "Show the steps of this subflow" : "Fold this subflow"}</title>
  <rect width=${FOLD} height=${FOLD} rx="5" />
  <path d=${isFolded ? "M5 9h8M9 5v8" : "M5 9h8"} />
</g>`;

/**
 * The box of an open subflow, behind its steps.
 * @param {object} props
 * @param {import("./graph-model.js").Group} props.group
 * @param {{x: number, y: number, width: number, height: number}} props.at
 * @param {import("./step-states.js").StepIndex|null} props.stepIndex
 * @param {string} props.state
 * @param {Function} props.measure
 */
export function SubflowBox({ group, at, stepIndex, state, measure }) {
  const style = state && STEP_STATES[state];
  const head = [group.signs, group.title].filter(Boolean).join(" ");
  const guardAt = INSET + (head ? measure(head, "title") + 10 : 0);
  const guardWidth = group.guard ? Math.ceil(measure(group.guard, "small")) : 0;
  const figures = style ? formatSubflowCounts(stepIndex, group.id, group.end) : "";
  const right = at.width - FOLD - 10;
  return html`<g
    class=${`box ${style ? `state-${style.tone}` : "plain"}`}
    transform=${`translate(${at.x} ${at.y})`}
  >
    <rect class="frame" width=${at.width} height=${at.height} rx="12" />
    <g class="heading" data-index=${group.id}>
      <title>${group.hint.join("\n")}</title>
      ${
        head &&
        html`<text class="title" x=${INSET} y="19">
          ${group.signs && html`<tspan class="signs">${group.signs} </tspan>`}
          ${group.title}
        </text>`
      }
      ${
        group.guard &&
        html`<g class="guard">
          <rect x=${guardAt - 2} y="6" width=${guardWidth + 16} height="18" rx="9" />
          <text x=${guardAt + 6} y="19">${group.guard}</text>
        </g>`
      }
      ${figures && html`<text class="took" x=${right} y="19" text-anchor="end">${figures}</text>`}
    </g>
    <${FoldButton} id=${group.id} x=${at.width - FOLD - 5} y="5" name=${group.title} isFolded=${false} />
  </g>`;
}
