/**
 * What is drawn of a flow: nodes, the edges between them, boxes around subflows. Pure, and linear in the flow.
 *
 * A subflow is drawn open, as a box around its steps, or folded, as one node. The nodes of all steps that are
 * not inside of a folded subflow are drawn; an edge to or from what is inside leads to the folded node.
 */

import { aboutOf, cut, guardOf, hintOf, roughWidth, signsOf, titleOf } from "./labels.js";

/** A flow with more steps than this comes with its subflows folded. */
export const FOLD_OVER = 300;

/** More nodes than this are not drawn unasked: nobody sees anything in them. */
export const DRAW_AT_MOST = 2000;

/** Pixels. A step's node is as wide as the longest title of the flow asks for, within these. */
const WIDTH = { least: 164, most: 232 };
const BESIDE_TITLE = 46;
const HEIGHT = { task: 62, resource: 62, literal: 46, folded: 62 };
const GUARD_TAB = 11;
const FOLD_BUTTON = 20;
/** Beside the words in the heading of a box: its figures and the button that folds it. */
const BESIDE_HEADING = 104;
const SMALL = { start: 26, end: 26, subflow: 14, "subflow-end": 14 };

/**
 * @typedef {object} Node one that is drawn
 * @property {number} id the index of its step
 * @property {string} kind that of the step, or "folded"
 * @property {number} scope the subflow whose box it stands in, or -1
 * @property {number} width
 * @property {number} height
 * @property {number} tab how much of the height, on top, is the guard's
 * @property {string} title cut to the node's width
 * @property {string} signs `>` merge, `*` iteration
 * @property {string} guard cut to the node's width, or ""
 * @property {string} about what the definition says beside its title, or ""
 * @property {string[]} hint the lines of its tooltip
 * @property {number} end at a folded subflow and a subflow's first node: where it ends; else -1
 *
 * @typedef {object} Group the box of an open subflow
 * @property {number} id the index of the subflow
 * @property {number} end the index of its end
 * @property {number} scope the box around it, or -1
 * @property {string} title empty at a subflow with no name, guard or sign
 * @property {string} signs
 * @property {boolean} iterates whether it is done for each item
 * @property {string} guard
 * @property {string[]} hint
 * @property {number} room pixels that its heading takes
 *
 * @typedef {object} GraphToDraw
 * @property {"LR"|"TB"} orientation
 * @property {Node[]} nodes
 * @property {Group[]} groups outer ones before inner ones
 * @property {{from: number, to: number, back: boolean}[]} edges `back`: against the order of the steps
 * @property {Set<number>} folded the subflows that are folded
 * @property {Int32Array} home by index: the node that stands for a step, or -1
 * @property {number} tooLarge how many nodes there would be, if too many; then there are none; else 0
 */

/**
 * What is to be drawn of a flow.
 * @param {object} flow as the API gives it
 * @param {object} [how]
 * @param {Set<number>} [how.folded] subflows to fold; if not given, by the size of the flow
 * @param {"LR"|"TB"} [how.orientation]
 * @param {number} [how.atMost] nodes
 * @param {number} [how.first] only the steps from this one
 * @param {number} [how.last] to this one, as the workflow of an item has them
 * @param {(text: string, font: string) => number} [how.measure] the width of a text in pixels
 * @returns {GraphToDraw}
 */
export function makeGraph(flow, how = {}) {
  const { orientation = "LR", atMost = DRAW_AT_MOST, measure = roughWidth } = how;
  const { first = 0, last = flow.steps.length - 1 } = how;
  const folded = how.folded ?? foldedAtFirst(flow);
  const { home, scope, around, count } = placeSteps(flow.steps, folded, first, last);
  const common = { orientation, folded, home };
  if (count > atMost) return { ...common, nodes: [], groups: [], edges: [], tooLarge: count };
  const drawn = flow.steps.filter((step) => home[step.index] === step.index);
  const width = commonWidth(drawn, measure);
  const isGroup = (step) => step.kind === "subflow" && !folded.has(step.index);
  return {
    ...common,
    nodes: drawn.map((step) => makeNode(step, flow, scope[step.index], width, isGroup(step), measure)),
    groups: drawn.filter(isGroup).map((step) => makeGroup(step, flow, around.get(step.index), width, measure)),
    edges: makeEdges(flow.edges, home),
    tooLarge: 0,
  };
}

/**
 * The subflows that are folded when a flow is first shown: all, if it has more than 300 steps, else none.
 * @param {object} flow
 * @returns {Set<number>}
 */
export function foldedAtFirst(flow) {
  const subflows = flow.steps.filter((step) => step.kind === "subflow");
  return new Set(flow.steps.length > FOLD_OVER ? subflows.map((step) => step.index) : []);
}

/**
 * By index: the node that stands for a step, or -1; and the open subflow that this node stands in. A subflow's own
 * first and last node stand in its box. `around`: by open subflow, the one around it. `count`: how many nodes.
 */
function placeSteps(steps, folded, first, last) {
  const home = new Int32Array(steps.length).fill(-1);
  const scope = new Int32Array(steps.length).fill(-1);
  const around = new Map();
  const open = [-1];
  let count = 0;
  let hiddenUntil = -1;
  let hiddenIn = -1;
  for (let at = first; at <= last; at += 1) {
    const step = steps[at];
    const isHidden = at <= hiddenUntil;
    if (!isHidden && step.kind === "subflow") {
      if (folded.has(at)) [hiddenUntil, hiddenIn] = [step.end, at];
      else {
        around.set(at, open.at(-1));
        open.push(at);
      }
    }
    home[at] = isHidden ? hiddenIn : at;
    scope[at] = open.at(-1);
    if (!isHidden) {
      count += 1;
      if (step.kind === "subflow-end") open.pop();
    }
  }
  return { home, scope, around, count };
}

function makeEdges(edges, home) {
  const seen = new Set();
  const made = [];
  for (const [source, target] of edges) {
    const [from, to] = [home[source], home[target]];
    if (from < 0 || to < 0) continue;
    const key = from * home.length + to;
    const isInside = from === to && source !== target;
    if (isInside || seen.has(key)) continue;
    seen.add(key);
    made.push({ from, to, back: to <= from });
  }
  return made;
}


/** One width for all nodes, so that they stand in columns. */
function commonWidth(steps, measure) {
  let widest = 0; // values and URIs may be long and are cut
  for (const step of steps) {
    if (step.kind !== "task" && step.kind !== "subflow") continue;
    widest = Math.max(widest, measure(headOf(step), "title"));
    if (widest + BESIDE_TITLE >= WIDTH.most) return WIDTH.most;
  }
  return Math.max(WIDTH.least, Math.ceil(widest + BESIDE_TITLE));
}

function headOf(step) {
  return [signsOf(step), titleOf(step)].filter(Boolean).join(" ");
}

function fontOf(step) {
  return step.kind === "literal" || step.kind === "resource" ? "mono" : "title";
}

function makeNode(step, flow, scope, width, isGroup, measure) {
  const kind = step.kind === "subflow" && !isGroup ? "folded" : step.kind;
  const base = { id: step.index, kind, scope, hint: hintOf(step, flow), end: step.end ?? -1 };
  if (kind in SMALL) {
    const size = SMALL[kind];
    return { ...base, width: size, height: size, tab: 0, title: titleOf(step), signs: "", guard: "", about: "" };
  }
  const font = fontOf(step);
  const signs = signsOf(step);
  const guard = guardOf(step);
  const room = width - BESIDE_TITLE - (kind === "folded" ? FOLD_BUTTON : 0) - (signs ? measure(`${signs} `, font) : 0);
  const tab = guard ? GUARD_TAB : 0;
  return {
    ...base,
    width,
    height: HEIGHT[kind] + tab,
    tab,
    title: cut(titleOf(step), room, (text) => measure(text, font), kind === "resource"),
    signs,
    about: aboutOf(step),
    guard: guard && cut(`if ${guard}`, width - 36, (text) => measure(text, "small")),
  };
}

function makeGroup(step, flow, scope, width, measure) {
  const guard = guardOf(step);
  const signs = signsOf(step);
  const isPlain = !step.name && !signs && !guard;
  const title = isPlain ? "" : cut(titleOf(step), width, (text) => measure(text, "title"));
  const shown = guard && cut(`if ${guard}`, width, (text) => measure(text, "small"));
  const words = measure([signs, title].join(" "), "title") + (shown ? measure(shown, "small") + 20 : 0);
  return {
    id: step.index,
    end: step.end,
    scope,
    title,
    signs,
    iterates: Boolean(step.iterate),
    guard: shown,
    hint: hintOf(step, flow),
    room: Math.ceil(words) + BESIDE_HEADING,
  };
}
