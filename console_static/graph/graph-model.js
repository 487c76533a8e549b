/**
 * Builds the graph of a flow: nodes, edges, and groups for open subflows. Pure; linear in the size of the
 * flow.
 *
 * An open subflow is a box around its steps, a folded one is a single node. Steps in a folded subflow have no
 * node; their edges lead to the folded node.
 */

import {
  formatSubtitle,
  truncateToWidth,
  formatGuard,
  formatTooltip,
  estimateWidth,
  formatOperators,
  formatTitle,
} from "./labels.js";

/** The subflows of flows with more steps than this are folded at first. */
export const FOLD_ABOVE = 300;

/** Graphs with more nodes than this are unreadable, and are drawn only on request. */
export const MAX_NODES = 2000;

/** The bounds of the width of nodes in pixels. The longest title of the flow sets the width. */
const WIDTH = { least: 164, most: 232 };
const BESIDE_TITLE = 46;
const HEIGHT = { task: 62, resource: 62, literal: 46, folded: 62 };
const GUARD_TAB = 11;
const FOLD_BUTTON = 20;
/** Pixels in the heading of a box for its counts and its fold button. */
const BESIDE_HEADING = 104;
const SMALL = { start: 26, end: 26, subflow: 14, "subflow-end": 14 };

/**
 * @typedef {object} Node
 * @property {number} id the index of the step
 * @property {string} kind the kind of the step, or "folded"
 * @property {number} scope the open subflow that contains it, or -1
 * @property {number} width
 * @property {number} height
 * @property {number} tab the height of the guard's tab, at the top
 * @property {string} title truncated to the width of the node
 * @property {string} signs `>` merge, `*` iteration
 * @property {string} guard truncated to the width of the node, or ""
 * @property {string} about the subtitle, or ""
 * @property {string[]} hint the lines of its tooltip
 * @property {number} end the index of the subflow's end, of a folded subflow and of a subflow's first node;
 *   else -1
 *
 * @typedef {object} Group the box of an open subflow
 * @property {number} id the index of the subflow
 * @property {number} end the index of its end
 * @property {number} scope the box around it, or -1
 * @property {string} title empty if the subflow has no name
 * @property {string} signs
 * @property {boolean} iterates whether it runs for each item
 * @property {string} guard
 * @property {string[]} hint
 * @property {number} room the width of its heading
 *
 * @typedef {object} GraphToDraw
 * @property {"LR"|"TB"} orientation
 * @property {Node[]} nodes
 * @property {Group[]} groups outer ones before inner ones
 * @property {{from: number, to: number, back: boolean}[]} edges `back`: leads to an earlier step
 * @property {Set<number>} folded the subflows that are folded
 * @property {Int32Array} home by index: the node of a step, or -1
 * @property {number} tooLarge the number of nodes if it exceeds the limit (the graph is empty then), else 0
 */

/**
 * Build the graph of a flow.
 * @param {any} flow from the API
 * @param {object} [options]
 * @param {Set<number>} [options.folded] subflows to fold; default: by the size of the flow
 * @param {"LR"|"TB"} [options.orientation]
 * @param {number} [options.atMost] nodes
 * @param {number} [options.first] only the steps from this one
 * @param {number} [options.last] to this one, as the workflow of an item has them
 * @param {(text: string, font: "title"|"mono"|"small") => number} [options.measure] in pixels
 * @returns {GraphToDraw}
 */
export function buildGraph(flow, options = {}) {
  const { orientation = "LR", atMost = MAX_NODES, measure = estimateWidth } = options;
  const { first = 0, last = flow.steps.length - 1 } = options;
  const folded = options.folded ?? foldByDefault(flow);
  const { home, scope, around, count } = assignNodes(flow.steps, folded, first, last);
  const common = { orientation, folded, home };
  if (count > atMost) return { ...common, nodes: [], groups: [], edges: [], tooLarge: count };
  const visibleSteps = flow.steps.filter((step) => home[step.index] === step.index);
  const isGroup = (step) => step.kind === "subflow" && !folded.has(step.index);
  const titled = visibleSteps.filter((step) => !isGroup(step));
  const width = measureNodeWidth(titled, flow, measure);
  return {
    ...common,
    nodes: visibleSteps.map((step) =>
      buildNode(step, flow, scope[step.index], width, isGroup(step), measure),
    ),
    groups: visibleSteps
      .filter(isGroup)
      .map((step) => buildGroup(step, flow, around.get(step.index), width, measure)),
    edges: buildEdges(flow.edges, home),
    tooLarge: 0,
  };
}

/**
 * Return the subflows that are folded at first: all in flows with more than 300 steps, else none.
 * @param {object} flow
 * @returns {Set<number>}
 */
export function foldByDefault(flow) {
  const subflows = flow.steps.filter((step) => step.kind === "subflow");
  return new Set(flow.steps.length > FOLD_ABOVE ? subflows.map((step) => step.index) : []);
}

/**
 * Return, by index, the node of each step (`home`) and the open subflow that contains it (`scope`). The first
 * and the last node of a subflow stand in its own box. `around`: the outer subflow of each open subflow.
 * `count`: nodes.
 */
function assignNodes(steps, folded, first, last) {
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

function buildEdges(edges, home) {
  const keys = new Set();
  const drawnEdges = [];
  for (const [source, target] of edges) {
    const [from, to] = [home[source], home[target]];
    if (from < 0 || to < 0) continue;
    const key = from * home.length + to;
    const isInside = from === to && source !== target;
    if (isInside || keys.has(key)) continue;
    keys.add(key);
    drawnEdges.push({ from, to, back: to <= from });
  }
  return drawnEdges;
}

/** Return one width for all nodes, so that they form columns. */
function measureNodeWidth(steps, flow, measure) {
  let widest = 0; // values and URIs may be long and are cut
  for (const step of steps) {
    if (step.kind !== "task" && step.kind !== "subflow") continue;
    widest = Math.max(widest, measure(formatHead(step, flow), "title"));
    if (widest + BESIDE_TITLE >= WIDTH.most) return WIDTH.most;
  }
  return Math.max(WIDTH.least, Math.ceil(widest + BESIDE_TITLE));
}

function formatHead(step, flow) {
  return [formatOperators(step), formatTitle(step, flow)].filter(Boolean).join(" ");
}

function chooseFont(step) {
  return step.kind === "literal" || step.kind === "resource" ? "mono" : "title";
}

function buildNode(step, flow, scope, width, isGroup, measure) {
  const kind = step.kind === "subflow" && !isGroup ? "folded" : step.kind;
  const base = { id: step.index, kind, scope, hint: formatTooltip(step, flow), end: step.end ?? -1 };
  if (kind in SMALL) {
    const size = SMALL[kind];
    return {
      ...base,
      width: size,
      height: size,
      tab: 0,
      title: formatTitle(step, flow),
      signs: "",
      guard: "",
      about: "",
    };
  }
  const font = chooseFont(step);
  const signs = formatOperators(step);
  const guard = formatGuard(step);
  const room =
    width - BESIDE_TITLE - (kind === "folded" ? FOLD_BUTTON : 0) - (signs ? measure(`${signs} `, font) : 0);
  const tab = guard ? GUARD_TAB : 0;
  return {
    ...base,
    width,
    height: HEIGHT[kind] + tab,
    tab,
    title: truncateToWidth(formatTitle(step, flow), room, (text) => measure(text, font), kind === "resource"),
    signs,
    about: formatSubtitle(step),
    guard: guard && truncateToWidth(`if ${guard}`, width - 36, (text) => measure(text, "small")),
  };
}

function buildGroup(step, flow, scope, width, measure) {
  const guard = formatGuard(step);
  const signs = formatOperators(step);
  const title = truncateToWidth(step.name ? formatTitle(step, flow) : "", width, (text) =>
    measure(text, "title"),
  );
  const guardText = guard && truncateToWidth(`if ${guard}`, width, (text) => measure(text, "small"));
  const words =
    measure([signs, title].join(" "), "title") + (guardText ? measure(guardText, "small") + 20 : 0);
  return {
    id: step.index,
    end: step.end,
    scope,
    title,
    signs,
    iterates: Boolean(step.iterate),
    guard: guardText,
    hint: formatTooltip(step, flow),
    room: Math.ceil(words) + BESIDE_HEADING,
  };
}
