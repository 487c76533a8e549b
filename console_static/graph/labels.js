/**
 * The texts of a step in the graph: title, operators, guard, subtitle, tooltip. Pure, except for the measure.
 */

import { ExactNumber } from "../client/exact-json.js";

const MAX_TITLE = 200;
const MAX_TOOLTIP = 1200;
/** Of the steps in a subflow. */
const MAX_NAMES = 8;

/**
 * The width of a character in pixels, for estimates without fonts. Browsers measure with `createTextMeasure`.
 */
const CHARACTER_WIDTH = { title: 7.4, mono: 7.3, small: 6.4 };

/**
 * Estimate the width of a text, rather too wide than too narrow.
 * @param {string} text
 * @param {"title"|"mono"|"small"} font
 * @returns {number} pixels
 */
export function estimateWidth(text, font) {
  return text.length * CHARACTER_WIDTH[font];
}

/**
 * Return the title of a step: one line of at most 200 characters. A subflow without a name is called after
 * what is in it.
 * @param {any} step of a flow
 * @param {any} flow from the API
 * @returns {string}
 */
export function formatTitle(step, flow) {
  switch (step.kind) {
    case "literal":
      return formatLiteral(step, MAX_TITLE);
    case "resource":
      return joinLines(step.uri ?? "");
    case "task":
      return joinLines(step.name ?? "");
    case "subflow":
      return joinLines(step.name || describeContents(step, flow));
    case "subflow-end":
      return "end of subflow";
    default:
      return step.kind;
  }
}

/** Describe a subflow by its only step, or by how many steps it has and the first of their names. */
function describeContents({ index, end }, flow) {
  const names = [];
  let count = 0;
  for (let at = index + 1; at < end; at += 1) {
    const step = flow.steps[at];
    if (step.kind === "subflow" || step.kind === "subflow-end") continue;
    count += 1;
    if (names.length < MAX_NAMES)
      names.push([formatOperators(step), formatTitle(step, flow)].filter(Boolean).join(" "));
  }
  if (!count) return "nothing";
  return count === 1 ? names[0] : `${count} steps: ${names.join(", ")}${count > names.length ? " …" : ""}`;
}

/** Return the value of a literal as JSON. The API may omit it. */
function formatLiteral({ value }, limit) {
  return value === undefined ? "a value" : truncateJson(value, limit);
}

/**
 * Return the operators before a title, as in the language: `>` for a merge, `*` for an iteration.
 * @param {object} step
 * @returns {string}
 */
export function formatOperators(step) {
  return [step.merge ? ">" : "", step.iterate ? "*" : ""].join("");
}

/**
 * Return the guard of a step in one line, or "".
 * @param {object} step
 * @returns {string}
 */
export function formatGuard(step) {
  return step.guard === undefined || step.guard === null ? "" : joinLines(step.guard);
}

/**
 * Return the text under the title of a step without times: the task behind an alias, or "".
 * @param {object} step
 * @returns {string}
 */
export function formatSubtitle(step) {
  if (step.kind === "resource") return step.sink ? "stores" : "loads";
  return step.base && step.base !== step.name ? joinLines(step.base) : "";
}

/**
 * Return the lines of the tooltip: all of the step's definition.
 * @param {object} step
 * @param {object} flow
 * @returns {string[]}
 */
export function formatTooltip(step, flow) {
  const docs = flow.docs ?? {};
  const doc = step.name && Object.hasOwn(docs, step.name) ? docs[step.name] : "";
  const title = step.kind === "literal" ? formatLiteral(step, MAX_TOOLTIP) : formatTitle(step, flow);
  return [
    `${step.index}: ${title}`,
    step.base && step.base !== step.name ? `task ${step.base}` : "",
    step.kind === "resource" ? (step.sink ? "stores its input there" : "loads it") : "",
    step.guard ? `if ${step.guard.trim()}` : "",
    step.merge ? "merges its inputs" : "",
    step.iterate ? "once for each item of its input" : "",
    step.parameters === undefined ? "" : `parameters ${truncateJson(step.parameters, MAX_TOOLTIP)}`,
    doc.trim().slice(0, MAX_TOOLTIP),
  ].filter(Boolean);
}

/**
 * Truncate a text to a width: at its end, or with `middle` in the middle if its end matters more.
 * @param {string} text
 * @param {number} width pixels
 * @param {(text: string) => number} measure
 * @param {boolean} [middle]
 * @returns {string}
 */
export function truncateToWidth(text, width, measure, middle = false) {
  if (measure(text) <= width) return text;
  let [least, most] = [0, text.length];
  while (least < most) {
    const count = Math.ceil((least + most) / 2);
    if (measure(truncate(text, count, middle)) <= width) least = count;
    else most = count - 1;
  }
  return truncate(text, least, middle);
}

function truncate(text, count, middle) {
  const end = middle ? Math.floor(count * 0.6) : 0;
  const from = text.length - end;
  return (
    takeCharacters(text, count - end) +
    "…" +
    (end ? text.slice(isLowSurrogate(text, from) ? from + 1 : from) : "")
  );
}

/** Return the first code units of a text, without splitting a surrogate pair. */
function takeCharacters(text, count) {
  return text.slice(0, isLowSurrogate(text, count) ? count - 1 : count);
}

function isLowSurrogate(text, at) {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function joinLines(text) {
  const beginning = text.length > 2 * MAX_TITLE ? takeCharacters(text, 2 * MAX_TITLE) : text;
  const line = beginning.replace(/\s+/gu, " ").trim();
  return line.length < MAX_TITLE ? line : takeCharacters(line, MAX_TITLE - 1) + "…";
}

/**
 * Return the beginning of a value's JSON. The cost depends on `limit`, not on the value.
 * @param {*} value
 * @param {number} limit characters
 * @returns {string}
 */
export function truncateJson(value, limit) {
  const parts = [];
  writeValue(value, parts, { left: limit });
  const text = parts.join("");
  return text.length <= limit ? text : takeCharacters(text, limit - 1) + "…";
}

function writeValue(value, parts, room) {
  if (value instanceof ExactNumber) writeText(value.text, parts, room);
  else if (Array.isArray(value))
    writeItems("[", value, "]", parts, room, (item) => writeValue(item, parts, room));
  else if (value !== null && typeof value === "object") {
    writeItems("{", Object.keys(value), "}", parts, room, (key) => {
      writeValue(key, parts, room);
      writeText(": ", parts, room);
      writeValue(value[key], parts, room);
    });
  } else if (typeof value === "string") writeText(JSON.stringify(value.slice(0, room.left + 1)), parts, room);
  else writeText(String(JSON.stringify(value)), parts, room);
}

function writeItems(open, items, close, parts, room, each) {
  writeText(open, parts, room);
  for (let place = 0; place < items.length && room.left >= 0; place += 1) {
    if (place) writeText(", ", parts, room);
    each(items[place]);
  }
  writeText(close, parts, room);
}

function writeText(text, parts, room) {
  parts.push(text);
  room.left -= text.length;
}

const FONTS = {
  title: ["600", "13px", "--sans"],
  mono: ["400", "12px", "--mono"],
  small: ["400", "11px", "--sans"],
};

/**
 * Create a function that measures the width of a text in pixels, in the fonts of this browser.
 * @returns {(text: string, font: "title"|"mono"|"small") => number}
 */
export function createTextMeasure() {
  const context = document.createElement("canvas").getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const fonts = new Map();
  for (const [name, [weight, size, family]] of Object.entries(FONTS)) {
    fonts.set(name, `${weight} ${size} ${style.getPropertyValue(family) || "sans-serif"}`);
  }
  return (text, font) => {
    if (context.font !== fonts.get(font)) context.font = fonts.get(font);
    return context.measureText(text).width;
  };
}
