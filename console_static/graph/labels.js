/**
 * What is written at a step in the graph: short, in one line; and in full, for the tooltip. Pure.
 */

import { ExactNumber } from "../client/exact-json.js";

const LONGEST_TITLE = 200;
const LONGEST_HINT = 1200;

/**
 * Widths in pixels of a character, for a rough measure where there is no font.
 * The browser measures instead; see `parts/graph.js`.
 */
const ROUGH = { title: 7.4, mono: 7.3, small: 6.4 };

/**
 * The width of a text, roughly. Meant to be rather too wide than too narrow.
 * @param {string} text
 * @param {"title"|"mono"|"small"} font
 * @returns {number} pixels
 */
export function roughWidth(text, font) {
  return text.length * ROUGH[font];
}

/**
 * The title of a step, at most 200 characters, in one line.
 * @param {object} step of a flow
 * @returns {string}
 */
export function titleOf(step) {
  switch (step.kind) {
    case "literal":
      return valueOf(step, LONGEST_TITLE);
    case "resource":
      return oneLine(step.uri ?? "");
    case "task":
      return oneLine(step.name ?? "");
    case "subflow":
      return oneLine(step.name || "subflow");
    case "subflow-end":
      return "end of subflow";
    default:
      return step.kind;
  }
}

/** The value of a literal; where values are left out, what it is. */
function valueOf({ value }, limit) {
  return value === undefined ? "a value" : shortJson(value, limit);
}

/**
 * The signs before a title: `>` for a merge, `*` for an iteration, as the language writes them.
 * @param {object} step
 * @returns {string}
 */
export function signsOf(step) {
  return [step.merge ? ">" : "", step.iterate ? "*" : ""].join("");
}

/**
 * The guard of a step in one line, or "".
 * @param {object} step
 * @returns {string}
 */
export function guardOf(step) {
  return step.guard === undefined || step.guard === null ? "" : oneLine(step.guard);
}

/**
 * What is said under a title as long as there is nothing else to say: the task behind an alias, or "".
 * @param {object} step
 * @returns {string}
 */
export function aboutOf(step) {
  if (step.kind === "resource") return step.sink ? "stores" : "loads";
  return step.base && step.base !== step.name ? oneLine(step.base) : "";
}

/**
 * All that the definition says of a step, a line each: for the tooltip.
 * @param {object} step
 * @param {object} flow
 * @returns {string[]}
 */
export function hintOf(step, flow) {
  const docs = flow.docs ?? {};
  const doc = step.name && Object.hasOwn(docs, step.name) ? docs[step.name] : "";
  const title = step.kind === "literal" ? valueOf(step, LONGEST_HINT) : titleOf(step);
  return [
    `${step.index}: ${title}`,
    step.base && step.base !== step.name ? `task ${step.base}` : "",
    step.kind === "resource" ? (step.sink ? "stores its input there" : "loads it") : "",
    step.guard ? `if ${step.guard.trim()}` : "",
    step.merge ? "merges its inputs" : "",
    step.iterate ? "once for each item of its input" : "",
    step.parameters === undefined ? "" : `parameters ${shortJson(step.parameters, LONGEST_HINT)}`,
    doc.trim().slice(0, LONGEST_HINT),
  ].filter(Boolean);
}

/**
 * A text that is not wider than this: cut at its end, or, with `middle`, in the middle, where the end tells more.
 * @param {string} text
 * @param {number} width pixels
 * @param {(text: string) => number} measure
 * @param {boolean} [middle]
 * @returns {string}
 */
export function cut(text, width, measure, middle = false) {
  if (measure(text) <= width) return text;
  let [least, most] = [0, text.length];
  while (least < most) {
    const count = Math.ceil((least + most) / 2);
    if (measure(shortened(text, count, middle)) <= width) least = count;
    else most = count - 1;
  }
  return shortened(text, least, middle);
}

function shortened(text, count, middle) {
  const end = middle ? Math.floor(count * 0.6) : 0;
  const from = text.length - end;
  return head(text, count - end) + "…" + (end ? text.slice(isLow(text, from) ? from + 1 : from) : "");
}

/** The first characters of a text; never half of one that takes two units. */
function head(text, count) {
  return text.slice(0, isLow(text, count) ? count - 1 : count);
}

function isLow(text, at) {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function oneLine(text) {
  const beginning = text.length > 2 * LONGEST_TITLE ? head(text, 2 * LONGEST_TITLE) : text;
  const line = beginning.replace(/\s+/gu, " ").trim();
  return line.length < LONGEST_TITLE ? line : head(line, LONGEST_TITLE - 1) + "…";
}

/**
 * The beginning of a value's JSON. Costs what it shows, however big the value is.
 * @param {*} value
 * @param {number} limit characters
 * @returns {string}
 */
export function shortJson(value, limit) {
  const parts = [];
  write(value, parts, { left: limit });
  const text = parts.join("");
  return text.length <= limit ? text : head(text, limit - 1) + "…";
}

function write(value, parts, room) {
  if (value instanceof ExactNumber) put(value.text, parts, room);
  else if (Array.isArray(value)) writeAll("[", value, "]", parts, room, (item) => write(item, parts, room));
  else if (value !== null && typeof value === "object") {
    writeAll("{", Object.keys(value), "}", parts, room, (key) => {
      write(key, parts, room);
      put(": ", parts, room);
      write(value[key], parts, room);
    });
  } else if (typeof value === "string") put(JSON.stringify(value.slice(0, room.left + 1)), parts, room);
  else put(String(JSON.stringify(value)), parts, room);
}

function writeAll(open, items, close, parts, room, each) {
  put(open, parts, room);
  for (let place = 0; place < items.length && room.left >= 0; place += 1) {
    if (place) put(", ", parts, room);
    each(items[place]);
  }
  put(close, parts, room);
}

function put(text, parts, room) {
  parts.push(text);
  room.left -= text.length;
}
