/**
 * Builds the rows and bars of the timeline from the facts of a history. Pure. Times in milliseconds.
 */

/**
 * @typedef {object} Segment an attempt
 * @property {number} begin
 * @property {number|null} end null: still running
 * @property {"running"|"done"|"failed"|"skipped"|"stopped"|"delayed"} outcome "delayed": before the next
 *   attempt
 * @property {number} attempt from 1, within its bar
 * @property {string} reason of a failure, or ""
 *
 * @typedef {object} Row a step, or one item of a step, with a bar for each invocation
 * @property {string} key
 * @property {number} index
 * @property {number|null} item
 * @property {boolean} waits whether it only waits
 * @property {{begin: number, end: number|null, segments: Segment[]}[]} bars
 * @property {object[]} open those of its bars that have not ended, oldest first
 * @property {number} items the number of rows of its items
 *
 * @typedef {object} History
 * @property {Row[]} rows of steps, by start
 * @property {Map<number, Row[]>} items rows of items by step
 * @property {{at: number, event: string}[]} marks events of the workflow itself
 * @property {object[]} byHand the first fact of each change that somebody has made by hand
 * @property {number} begin
 * @property {number} last the time of the latest fact
 * @property {boolean} isOpen whether anything still runs
 */

/** The outcome of a step by the event in its history. */
const OUTCOMES = { ended: "done", failed: "failed", skipped: "skipped" };
const ENDS = new Set(["finished", "failed", "terminated"]);

/**
 * Build the rows of a history.
 * @param {object[]} facts `{at, index, item, event, reason, actor, actor_reason}`, oldest first
 * @param {object} flow
 * @returns {History|null} null without facts
 */
export function buildHistory(facts, flow) {
  if (!facts.length) return null;
  const rows = new Map();
  const marks = [];
  const byHand = [];
  let hasEnded = false;
  let at = 0;
  for (const fact of facts) {
    at = Date.parse(fact.at);
    const last = byHand.at(-1);
    if (fact.actor && (last?.at !== fact.at || last.actor !== fact.actor)) byHand.push(fact);
    if (fact.index === null) {
      marks.push({ at, event: fact.event });
      hasEnded = ENDS.has(fact.event);
      if (fact.event === "terminated") for (const row of rows.values()) stopBars(row, at);
    } else applyFact(findOrAddRow(rows, fact, flow), fact, at);
  }
  const all = [...rows.values()].filter((row) => isVisible(row, flow));
  for (const row of all) if (row.item !== null) stopWithStep(row, rows.get(`${row.index}`));
  const isOpen = !hasEnded || all.some(isRunning);
  return { ...sortRows(all), marks, byHand, begin: Date.parse(facts[0].at), last: at, isOpen };
}

function findOrAddRow(rows, { index, item }, flow) {
  const key = item === null ? `${index}` : `${index}/${item}`;
  if (!rows.has(key))
    rows.set(key, { key, index, item, waits: isWait(flow.steps[index]), bars: [], open: [], items: 0 });
  return rows.get(key);
}

/** Return whether a step only waits, so that no worker is busy. */
const isWait = (step) => (step?.base || step?.name || "").startsWith("wait:");

function applyFact(row, { event, reason }, at) {
  // A fact applies to the oldest bar that runs. In loops, several may run at once.
  if (event === "started") begin(row, at);
  else if (event === "retried") retryBar(row.open[0], at, reason ?? "");
  else if (event in OUTCOMES) endBar(row, row.open[0] ?? begin(row, at), at, OUTCOMES[event], reason ?? "");
}

/** Begin a bar, or the next attempt of a delayed one. */
function begin(row, at) {
  const delayed = row.open.find((bar) => bar.segments.at(-1).outcome === "delayed");
  if (delayed) {
    const { attempt, ...rest } = delayed.segments.pop();
    if (rest.begin < at) delayed.segments.push({ ...rest, attempt, end: at });
    delayed.segments.push(createSegment(at, attempt));
    return delayed;
  }
  const bar = { begin: at, end: null, segments: [createSegment(at, 1)] };
  row.bars.push(bar);
  row.open.push(bar);
  return bar;
}

const createSegment = (begin, attempt, outcome = "running") => ({
  begin,
  end: null,
  outcome,
  attempt,
  reason: "",
});

function endBar(row, bar, at, outcome, reason) {
  Object.assign(bar.segments.at(-1), { end: at, outcome, reason });
  bar.end = at;
  row.open.splice(row.open.indexOf(bar), 1);
}

function retryBar(bar, at, reason) {
  if (!bar) return;
  const { attempt } = Object.assign(bar.segments.at(-1), { end: at, outcome: "failed", reason });
  bar.segments.push(createSegment(at, attempt + 1, "delayed"));
}

function stopBars(row, at) {
  for (const bar of [...row.open]) endBar(row, bar, at, "stopped", "");
}

/** Stop the bars of items when their step ends: the history has no facts about them after that. */
function stopWithStep(row, step) {
  if (!step || isRunning(step)) return;
  for (const bar of [...row.open]) endBar(row, bar, Math.max(bar.begin, step.bars.at(-1).end), "stopped", "");
}

/** Return whether a bar of the row is running. */
export const isRunning = (row) => row.open.length > 0;

/**
 * Return whether a row is worth showing: steps without duration, such as starts and ends, only if they
 * failed.
 */
function isVisible(row, flow) {
  const { kind } = flow.steps[row.index] ?? {};
  if (kind === "task" || kind === "resource" || row.item !== null) return true;
  return row.bars.some((bar) => bar.end !== bar.begin || bar.segments.at(-1).outcome !== "done");
}

function sortRows(all) {
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

/** The limit of visible items of one step. */
export const MAX_ITEMS = 200;

/**
 * List the visible rows: those of steps, each open one followed by those of its items.
 * @param {History} history
 * @param {Set<number>} openSteps
 * @returns {any[]} rows; one with `more` instead of bars represents that many further items
 */
export function listVisibleRows(history, openSteps) {
  return history.rows.flatMap((row) => {
    if (!row.items || !openSteps.has(row.index)) return [row];
    const items = history.items.get(row.index);
    const rest = items.length - MAX_ITEMS;
    const more = rest > 0 ? [{ key: `${row.index} more`, more: rest }] : [];
    return [row, ...items.slice(0, MAX_ITEMS), ...more];
  });
}
