/**
 * When what happened in a workflow: rows of bars, from the facts of its history. Pure. Times in milliseconds.
 */

/**
 * @typedef {object} Segment one attempt
 * @property {number} begin
 * @property {number|null} end null: it runs
 * @property {"running"|"done"|"failed"|"skipped"|"stopped"|"delayed"} outcome "delayed": the next attempt is to begin
 * @property {number} attempt from 1, within its bar
 * @property {string} reason why it failed, or ""
 *
 * @typedef {object} Row a step, or one item of it, and each time that it was invoked
 * @property {string} key
 * @property {number} index
 * @property {number|null} item
 * @property {boolean} waits whether it only waits
 * @property {{begin: number, end: number|null, segments: Segment[]}[]} bars
 * @property {number} items at a step: of how many of its items there are rows
 *
 * @typedef {object} History
 * @property {Row[]} rows of steps, by when they began
 * @property {Map<number, Row[]>} items rows of items, by step
 * @property {{at: number, event: string}[]} marks what happened to the workflow itself
 * @property {number} begin
 * @property {number} last the latest fact
 * @property {boolean} isOpen whether anything still runs
 */

/** How a step ends, by the word of its history. */
const OUTCOMES = { ended: "done", failed: "failed", skipped: "skipped" };
const ENDS = new Set(["finished", "failed", "terminated"]);

/**
 * Read a history.
 * @param {object[]} facts `{at, index, item, event, reason}`, oldest first
 * @param {object} flow
 * @returns {History|null} null if nothing has happened yet
 */
export function readHistory(facts, flow) {
  if (!facts.length) return null;
  const rows = new Map();
  const marks = [];
  let hasEnded = false;
  let at = 0;
  for (const fact of facts) {
    at = Date.parse(fact.at);
    if (fact.index === null) {
      marks.push({ at, event: fact.event });
      hasEnded = ENDS.has(fact.event);
      if (fact.event === "terminated") for (const row of rows.values()) stop(row, at);
    } else take(rowOf(rows, fact, flow), fact, at);
  }
  const all = [...rows.values()].filter((row) => isShown(row, flow));
  for (const row of all) if (row.item !== null) endWithStep(row, rows.get(`${row.index}`));
  const isOpen = !hasEnded || all.some(runs);
  return { ...sorted(all), marks, begin: Date.parse(facts[0].at), last: at, isOpen };
}

function rowOf(rows, { index, item }, flow) {
  const key = item === null ? `${index}` : `${index}/${item}`;
  if (!rows.has(key)) rows.set(key, { key, index, item, waits: isWait(flow.steps[index]), bars: [], items: 0 });
  return rows.get(key);
}

/** Whether a step only waits: nothing works meanwhile. */
const isWait = (step) => (step?.base || step?.name || "").startsWith("wait:");

function take(row, { event, reason }, at) {
  if (event === "started") begin(row, at);
  else if (event === "retried") tryAgain(openBar(row), at, reason ?? "");
  else if (event in OUTCOMES) end(openBar(row) ?? begin(row, at), at, OUTCOMES[event], reason ?? "");
}

/** The bar that a fact is about: the oldest that runs. In a loop, a step may run more than once at a time. */
const openBar = (row) => row.bars.find((bar) => bar.end === null);

/** Another bar; or, in one that waits for its next attempt, that attempt. */
function begin(row, at) {
  const delayed = row.bars.find((bar) => bar.end === null && bar.segments.at(-1).outcome === "delayed");
  if (delayed) {
    const { attempt, ...rest } = delayed.segments.pop();
    if (rest.begin < at) delayed.segments.push({ ...rest, attempt, end: at });
    delayed.segments.push(segment(at, attempt));
    return delayed;
  }
  row.bars.push({ begin: at, end: null, segments: [segment(at, 1)] });
  return row.bars.at(-1);
}

const segment = (begin, attempt, outcome = "running") => ({ begin, end: null, outcome, attempt, reason: "" });

function end(bar, at, outcome, reason) {
  Object.assign(bar.segments.at(-1), { end: at, outcome, reason });
  bar.end = at;
}

function tryAgain(bar, at, reason) {
  if (!bar) return;
  const { attempt } = Object.assign(bar.segments.at(-1), { end: at, outcome: "failed", reason });
  bar.segments.push(segment(at, attempt + 1, "delayed"));
}

function stop(row, at) {
  for (const bar of row.bars) if (bar.end === null) end(bar, at, "stopped", "");
}

/** Of items that go on after their step has failed, its history says no more: they end with it. */
function endWithStep(row, step) {
  if (!step || runs(step)) return;
  for (const bar of row.bars) if (bar.end === null) end(bar, Math.max(bar.begin, step.bars.at(-1).end), "stopped", "");
}

/** Whether a row has a bar that still grows. */
export const runs = (row) => row.bars.some((bar) => bar.end === null);

/** What passes in no time has no row: starts, ends, values; unless there is something to say of it. */
function isShown(row, flow) {
  const { kind } = flow.steps[row.index] ?? {};
  if (kind === "task" || kind === "resource" || row.item !== null) return true;
  return row.bars.some((bar) => bar.end !== bar.begin || bar.segments.at(-1).outcome !== "done");
}

function sorted(all) {
  const rows = all.filter((row) => row.item === null);
  const items = new Map();
  for (const row of all) {
    if (row.item === null) continue;
    if (items.has(row.index)) items.get(row.index).push(row);
    else items.set(row.index, [row]);
  }
  for (const list of items.values()) list.sort((one, other) => one.item - other.item);
  for (const row of rows) row.items = items.get(row.index)?.length ?? 0;
  rows.sort((one, other) => one.bars[0].begin - other.bars[0].begin || one.index - other.index);
  return { rows, items };
}

/** Items of one step that are shown when it is opened. */
export const MOST_ITEMS = 200;

/**
 * The rows to show: those of steps, and below the opened ones those of their items.
 * @param {History} history
 * @param {Set<number>} opened steps
 * @returns {(Row | {key: string, more: number})[]} `more`: how many further items there are
 */
export function rowsToShow(history, opened) {
  return history.rows.flatMap((row) => {
    if (!row.items || !opened.has(row.index)) return [row];
    const items = history.items.get(row.index);
    const rest = items.length - MOST_ITEMS;
    const more = rest > 0 ? [{ key: `${row.index} more`, more: rest }] : [];
    return [row, ...items.slice(0, MOST_ITEMS), ...more];
  });
}
