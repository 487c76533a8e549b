/** One step in the graph, and the box of a subflow. */

import { html, useMemo } from "../vendor/preact.js";
import { itemFigures, subflowFigures, textsOf } from "./step-states.js";
import { cut } from "./labels.js";
import { STEP_STATES } from "../format/state-labels.js";

const INSET = 12;
const ICON = 16;
const FOLD = 18;
/** Between a node and the line around it if it is chosen or has the focus. */
const HALO = 4;

/**
 * A node of the graph.
 * @param {object} props
 * @param {import("./graph-model.js").Node} props.node
 * @param {{x: number, y: number}} props.at
 * @param {object|null} props.step what the API says of it; null where that is not shown
 * @param {string|null} props.state null: it has none here
 * @param {string} props.figures of a folded subflow
 * @param {boolean} props.isChosen
 * @param {boolean} props.isEntry whether Tab comes to it
 * @param {boolean} props.isTurned whether the graph goes from top to bottom
 * @param {number} props.now
 * @param {Function} props.measure
 */
export function Node({ node, at, step, state, figures, isChosen, isEntry, isTurned, now, measure }) {
  const shownAt = state === "RUNNING" ? now : day(now);
  return useMemo(() => {
    const told = STEP_STATES[state];
    const { took, times } = step ? textsOf(step, state, shownAt) : { took: "", times: [] };
    const isSmall = node.width < 40;
    const words = [node.hint[0], step ? (told?.label ?? state) : "", took, step?.reason ?? ""].filter(Boolean).join(", ");
    const name = `node kind-${node.kind} ${step ? `state-${told?.tone ?? "pending"}` : "plain"}${isChosen ? " chosen" : ""}`;
    const inside = { node, step, told, state, figures, took, times, isTurned, measure };
    return html`<g class=${name} transform=${`translate(${at.x} ${at.y})`} data-index=${node.id} tabindex=${isEntry ? 0 : -1}
      role="button" aria-label=${words} aria-pressed=${isChosen ? "true" : "false"}>
      <title>${hintFor(node, step, told?.label ?? state)}</title>
      ${isSmall ? html`<${Round} ...${inside} />` : html`<${Card} ...${inside} />`}
    </g>`;
  }, [node, at, step, state, figures, isChosen, isEntry, shownAt]);
}

/** What does not run changes its texts at most with the day. */
const day = (now) => new Date(now).setHours(0, 0, 0, 0);

function hintFor(node, step, word) {
  if (!step) return node.hint.join("\n");
  const attempt = step.attempt > 1 ? `, attempt ${step.attempt}` : "";
  const said = [step.reason, step.progress?.text, step.items ? `items: ${itemFigures(step.items)}` : ""];
  return [`${word}${attempt}`, ...said, ...node.hint].filter(Boolean).map((line) => line.slice(0, 1000)).join("\n");
}

function Round({ node, step, told, isTurned }) {
  const middle = node.width / 2;
  const [x, y, anchor] = isTurned ? [node.width + 6, middle + 4, "start"] : [middle, node.height + 12, "middle"];
  return html`
    <circle class="halo" cx=${middle} cy=${middle} r=${middle + HALO} />
    <circle class="card" cx=${middle} cy=${middle} r=${middle} />
    ${node.width > 20 && step && told && html`<path class="icon" transform=${`translate(${middle - 6} ${middle - 6}) scale(0.75)`} d=${told.icon} />`}
    ${node.width > 20 && html`<text class="below" x=${x} y=${y} text-anchor=${anchor}>${node.title}</text>`}`;
}

function Card({ node, step, told, state, figures, took, times, measure }) {
  const height = node.height - node.tab;
  const right = node.width - INSET;
  const small = (text) => measure(text, "small");
  const fits = firstThatFits(times, right - INSET, small);
  const isFlat = node.kind === "literal";
  const left = INSET + (step ? small(wordOf(step, told, state)) + 12 : 0);
  const count = node.kind === "folded" ? figures : step?.items ? itemFigures(step.items) : "";
  const beside = firstThatFits([[count, took].filter(Boolean).join(" · "), count || took], right - left, small);
  return html`
    <rect class="halo" x=${-HALO} y=${node.tab - HALO} width=${node.width + 2 * HALO} height=${height + 2 * HALO} rx=${8 + HALO} />
    ${node.kind === "folded" && html`<rect class="card under" x="4" y=${node.tab + 4} width=${node.width} height=${height} rx="8" />`}
    <rect class="card" y=${node.tab} width=${node.width} height=${height} rx="8" />
    ${node.guard && html`<${Guard} text=${node.guard} width=${small(node.guard)} y=${node.tab} />`}
    ${state === "RUNNING" && html`<circle class="ring" cx=${INSET + ICON / 2} cy=${node.tab + 21} r="11" />`}
    ${step && told && html`<path class="icon" transform=${`translate(${INSET} ${node.tab + 13})`} d=${told.icon} />`}
    ${step && told && html`<path class="icon from-far" transform=${`translate(${node.width / 2 - 18} ${node.tab + height / 2 - 18}) scale(2.25)`} d=${told.icon} />`}
    <text class=${`title ${node.kind}`} x=${step ? INSET + ICON + 8 : INSET} y=${node.tab + (step || node.about ? 25 : height / 2 + 4.5)}>${node.signs && html`<tspan class="signs">${node.signs} </tspan>`}${node.title}</text>
    ${step && html`<text class="word" x=${INSET} y=${node.tab + (isFlat ? 39 : 41)}>${told?.label ?? state}${step.attempt > 1 ? html`<tspan class="attempt"> · attempt ${step.attempt}</tspan>` : ""}</text>`}
    ${step && !isFlat && html`<text class="took" x=${right} y=${node.tab + 41} text-anchor="end">${beside}</text>`}
    ${!isFlat && html`<text class="times" x=${INSET} y=${node.tab + (step ? 55 : 42)}>${fits || cut(node.about, right - INSET, small)}</text>`}
    ${state === "RUNNING" && html`<${Share} step=${step} width=${node.width - 2 * INSET} y=${node.height - 3.5} />`}
    ${node.kind === "folded" && html`<${FoldButton} id=${node.id} x=${node.width - FOLD - 4} y=${node.tab + 4} isFolded=${true} />`}`;
}

const firstThatFits = (texts, room, measure) => texts.find((text) => measure(text) <= room) ?? "";

const wordOf = (step, told, state) => `${told?.label ?? state}${step.attempt > 1 ? ` · attempt ${step.attempt}` : ""}`;

const Guard = ({ text, width, y }) => html`<g class="guard">
  <rect x=${INSET - 4} y=${y - 10} width=${Math.ceil(width) + 16} height="18" rx="9" />
  <text x=${INSET + 4} y=${y + 3}>${text}</text></g>`;

/** How much of a running step is done, if anybody knows. */
function Share({ step, width, y }) {
  const share = step.items?.total ? step.items.done / step.items.total : step.progress?.fraction;
  if (share === undefined || share === null) return null;
  return html`<rect class="share-ground" x=${INSET} y=${y} width=${width} height="2" rx="1" />
    <rect class="share" x=${INSET} y=${y} width=${Math.max(0, Math.min(1, share)) * width} height="2" rx="1" />`;
}

const FoldButton = ({ id, x, y, isFolded }) => html`<g class="fold" transform=${`translate(${x} ${y})`} data-fold=${id} tabindex="0"
  role="button" aria-expanded=${isFolded ? "false" : "true"} aria-label=${isFolded ? "Show the steps of this subflow" : "Fold this subflow"}>
  <title>${isFolded ? "Show the steps of this subflow" : "Fold this subflow"}</title>
  <rect width=${FOLD} height=${FOLD} rx="5" />
  <path d=${isFolded ? "M5 9h8M9 5v8" : "M5 9h8"} /></g>`;

/**
 * The box of an open subflow, behind its steps.
 * @param {object} props
 * @param {import("./graph-model.js").Group} props.group
 * @param {{x: number, y: number, width: number, height: number}} props.at
 * @param {import("./step-states.js").Known|null} props.known
 * @param {string} props.state
 * @param {Function} props.measure
 */
export function Box({ group, at, known, state, measure }) {
  const told = state && STEP_STATES[state];
  const head = [group.signs, group.title].filter(Boolean).join(" ");
  const guardAt = INSET + (head ? measure(head, "title") + 10 : 0);
  const guardWidth = group.guard ? Math.ceil(measure(group.guard, "small")) : 0;
  const figures = told ? subflowFigures(known, group.id, group.end) : "";
  const right = at.width - FOLD - 10;
  return html`<g class=${`box ${told ? `state-${told.tone}` : "plain"}`} transform=${`translate(${at.x} ${at.y})`}>
    <rect class="frame" width=${at.width} height=${at.height} rx="12" />
    <g class="heading" data-index=${group.id}><title>${group.hint.join("\n")}</title>
      ${head && html`<text class="title" x=${INSET} y="19">${group.signs && html`<tspan class="signs">${group.signs} </tspan>`}${group.title}</text>`}
      ${group.guard && html`<g class="guard"><rect x=${guardAt - 2} y="6" width=${guardWidth + 16} height="18" rx="9" /><text x=${guardAt + 6} y="19">${group.guard}</text></g>`}
      ${figures && html`<text class="took" x=${right} y="19" text-anchor="end">${figures}</text>`}</g>
    <${FoldButton} id=${group.id} x=${at.width - FOLD - 5} y="5" isFolded=${false} />
  </g>`;
}
