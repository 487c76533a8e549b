// Who waits for what: kinds, counts, texts, and the events that end waits.

import { formatJson } from "../client/exact-json.js";

const LONGEST_MATCH = 120;

/** The kinds of waits, by the API's word: `label` of the tab, `subject` of a wait that has no name. */
export const WAIT_KINDS = {
  event: { label: "Events", subject: "" },
  latch: { label: "Latches", subject: "" },
  delay: { label: "Delays", subject: "the end of a delay" },
  retry: { label: "Retries", subject: "its next attempt" },
  pause: { label: "Paused", subject: "the end of a pause" },
  deadline: { label: "Deadlines", subject: "" },
};

/** Count the waits of each kind, from the groups of the API; under "" all but deadlines. */
export function countKinds(groups) {
  const counts = { "": 0 };
  for (const { kind, count } of groups) {
    counts[kind] = (counts[kind] ?? 0) + count;
    if (kind !== "deadline") counts[""] += count;
  }
  return counts;
}

/** Say what a wait is for, without the fields that its event must have. */
export function describeWait({ kind, event, latch, task }) {
  if (event !== null) return `the event ${event}`;
  if (latch !== null) return `the latch ${latch}`;
  if (kind === "deadline") return task ? `the task ${task}` : "the end of the workflow";
  return WAIT_KINDS[kind]?.subject ?? kind;
}

/** Format the fields that an event must have, in one line; empty if there are none. */
export function formatMatch(match) {
  if (!match || !Object.keys(match).length) return "";
  const text = formatJson(match, 0).replaceAll("\n", " "); // a text in JSON has no line breaks
  return text.length <= LONGEST_MATCH ? text : `${text.slice(0, LONGEST_MATCH)}…`;
}

/** Return what no two waits of a list have in common. */
export const identifyWait = ({ workflow, index, kind }) => `${kind} ${workflow} ${index}`;

/** Return each different event, as `kind` and `match`, that these waits ask for, in their order. */
export function collectEvents(waits) {
  const events = new Map();
  for (const { event: kind, match } of waits) events.set(formatJson([kind, match], 0), { kind, match });
  return [...events.values()];
}
