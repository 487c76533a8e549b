// What people can do to workflows and steps: the texts, and the requests.

import { buildAddress } from "../state/address.js";
import { apiPath, getFile, getText, pathSegment, saveFile, sendJson } from "./api.js";

/**
 * The actions on a workflow, by the API's word. `role`: what a token needs for it; `title`: the tooltip;
 * `ask`: the question before the action; `effect`: its explanation there; `done`: the end of the notice after
 * it; `danger`: its button is red.
 */
export const WORKFLOW_ACTIONS = {
  terminate: {
    label: "Terminate",
    role: "operate",
    title: "Terminate it: nothing more starts, and running tasks are cancelled. You can restart it.",
    ask: (subject) => `Terminate ${subject}?`,
    effect:
      "No further step starts, waits end, and workers are told to cancel their tasks. " +
      "All outputs are kept, so that a restart continues from there.",
    done: "is terminated",
    danger: true,
  },
  restart: {
    label: "Restart",
    role: "operate",
    title: "Continue with the steps that failed or were running",
    ask: (subject) => `Restart ${subject}?`,
    effect:
      "Steps that failed or were running start again, then the steps after them. " +
      "Completed steps stay done and keep their outputs.",
    done: "is restarted",
    danger: false,
  },
  pause: {
    label: "Pause",
    role: "operate",
    title: "Pause it: what runs may end, and nothing new starts until it is resumed",
    ask: (subject) => `Pause ${subject}?`,
    effect: "What runs may end, and its results are stored. Nothing new starts. Deadlines go on.",
    done: "is paused",
    danger: false,
  },
  resume: {
    label: "Resume",
    role: "operate",
    title: "Start what the pause has held back",
    ask: (subject) => `Resume ${subject}?`,
    effect: "The steps that the pause has held back start, unless another pause holds them back.",
    done: "is resumed",
    danger: false,
  },
  delete: {
    label: "Delete",
    role: "admin",
    title: "Delete it with its input, outputs and history",
    ask: (subject) => `Delete ${subject}?`,
    effect:
      "Its input, outputs and history are deleted from Redis. " +
      "You can restore it only from an archive that you downloaded before.",
    done: "is deleted",
    danger: true,
  },
};

/** The actions on all workflows that match a filter, as in `WORKFLOW_ACTIONS`; `after`: what follows. */
export const MATCH_ACTIONS = {
  ...WORKFLOW_ACTIONS,
  restart: { ...WORKFLOW_ACTIONS.restart, after: "What fails again comes back to the page Failures." },
  archive: {
    label: "Archive",
    role: "admin",
    ask: (subject) => `Archive ${subject}?`,
    effect:
      "The server writes the archive of each. " +
      "The workflows stay as they are; delete them afterwards if you like.",
    danger: false,
  },
};

/** The actions on a schedule, by the API's word, with texts as in `WORKFLOW_ACTIONS`. */
export const SCHEDULE_ACTIONS = {
  trigger: {
    label: "Trigger",
    ask: (name) => `Start a workflow of ${name} now?`,
    effect: "It starts at once, also while another one runs. The times of the schedule stay as they are.",
    done: "has started a workflow",
  },
  pause: {
    label: "Pause",
    ask: (name) => `Pause ${name}?`,
    effect: "It starts nothing until it is resumed. Times that pass meanwhile are missed.",
    done: "is paused",
  },
  resume: {
    label: "Resume",
    ask: (name) => `Resume ${name}?`,
    effect: "It starts workflows again, from its next time on.",
    done: "is resumed",
  },
};

/** The actions on dead letters, by the API's word, with texts as in `WORKFLOW_ACTIONS`. */
export const LETTER_ACTIONS = {
  retry: {
    label: "Retry",
    ask: (subject) => `Retry ${subject}?`,
    effect:
      "The event goes back to its stream, as it was. If it cannot be understood again, it comes back here " +
      "as a new dead letter.",
    done: "put back",
    danger: false,
  },
  dismiss: {
    label: "Dismiss",
    ask: (subject) => `Dismiss ${subject}?`,
    effect: "It leaves this list. The latest 1,000 that were dismissed are kept below, and can be retried.",
    done: "dismissed",
    danger: false,
  },
};

/** The actions on a step, by the API's word, with texts as in `WORKFLOW_ACTIONS`. */
export const STEP_ACTIONS = {
  retry: {
    label: "Retry",
    effect: "The task starts again. The result of the present attempt is ignored.",
    done: "is retried",
    danger: false,
  },
  skip: {
    label: "Skip",
    effect:
      "The workflow continues as if the task had this output. " +
      "If you leave it empty, the output is the input of the task.",
    done: "is skipped",
    danger: true,
  },
  fail: {
    label: "Fail",
    effect: "The task fails without another attempt, and so does the workflow.",
    done: "has failed",
    danger: true,
  },
};

const MAX_IDS = 5;

/** Return the body of a request with a reason; undefined without one. */
const reasonBody = (reason) => (reason ? { reason } : undefined);

/** Send an action of `WORKFLOW_ACTIONS` on a workflow; `reason` may be empty. Throws a Problem. */
export const runWorkflowAction = (action, id, reason) =>
  action === "delete"
    ? sendJson("DELETE", buildAddress(apiPath(id), { reason }))
    : sendJson("POST", apiPath(id, `/${action}`), reasonBody(reason));

/** Send an action of `SCHEDULE_ACTIONS` on a schedule; `reason` may be empty. Throws a Problem. */
export const runScheduleAction = (action, name, reason) =>
  sendJson("POST", `/schedules/${pathSegment(name)}/${action}`, reasonBody(reason));

/** Set a latch to zero; `reason` may be empty. Throws a Problem. */
export const resetLatch = (name, reason) =>
  sendJson("POST", `/latches/${pathSegment(name)}/reset`, reasonBody(reason));

/**
 * Send an action of `LETTER_ACTIONS` on dead letters; `selection` has their `ids` or a `pattern`. Return how
 * many have `changed`, and the `problems` of the others by id. Throws a Problem.
 */
export const runLetterAction = (action, selection, reason) =>
  sendJson("POST", `/dead-letters/${action}`, { ...selection, ...reasonBody(reason) });

/** Send an action of `STEP_ACTIONS` on a step; `body` may hold its output or reason. Throws a Problem. */
export const runStepAction = (action, id, index, body) =>
  sendJson("POST", apiPath(id, `/steps/${index}/${action}`), body);

/** Get a workflow's archive and make the browser save it as a file. Throws a Problem. */
export async function downloadArchive(id) {
  const { name, text } = await getFile(apiPath(id, "/archive"));
  saveFile(name ?? "workflow.json", text);
}

/**
 * Let the server write a workflow's archive to its folder, or to `uri`, as `s3://BUCKET/FOLDER/`. Return the
 * path of the file, or the URI of the object. Throws a Problem.
 */
export async function archiveOnServer(id, uri) {
  const archive = await sendJson("POST", apiPath(id, "/archive"), uri ? { uri } : undefined);
  return archive.file ?? archive.uri;
}

/** Get a workflow's flow text and make the browser save it as `NAME.flow`. Throws a Problem. */
export async function downloadSource(id, name) {
  saveFile(`${name || "workflow"}.flow`, await getText(apiPath(id, "/source")), "text/plain");
}

/** Restore a workflow from the text of an archive. Return its id, perhaps a new one. Throws a Problem. */
export const restoreArchive = async (text) => (await sendJson("POST", "/workflows/restore", text)).workflow;

/** Restore a workflow from an object, as `s3://BUCKET/KEY`. Return its id as `restoreArchive`. */
export const restoreFromObject = (uri) => restoreArchive(JSON.stringify({ uri }));

/** Run an async function for each id, a few at a time. Return a Map of what it threw, by id. */
export async function runForEach(ids, run, concurrency = 4) {
  const problems = new Map();
  const queue = [...ids];
  const runNext = async () => {
    for (let id; (id = queue.shift()) !== undefined; ) {
      await run(id).catch((problem) => problems.set(id, problem));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, runNext));
  return problems;
}

/**
 * Count the workflows that match a filter and permit an action. Return `total`, `states` (how many by state),
 * `ids` of the first five, and `asOf`, the time for `runForMatches`. Throws a Problem.
 */
export async function countMatches(action, where) {
  const states = {};
  const ids = [];
  let asOf = null;
  let next = null;
  do {
    const body = { action, where, as_of: asOf, next, dry_run: true };
    const part = await sendJson("POST", "/workflows/bulk", body);
    for (const [state, count] of Object.entries(part.states)) states[state] = (states[state] ?? 0) + count;
    ids.push(...part.workflows.slice(0, MAX_IDS - ids.length));
    asOf = part.as_of;
    next = part.next;
  } while (next !== null);
  const total = Object.values(states).reduce((sum, count) => sum + count, 0);
  return { total, states, ids, asOf };
}

/**
 * Do an action to all workflows that matched a filter at the time `asOf`, some with each request. Return
 * whether it came to the end. Throws a Problem.
 *
 * @param {string} action
 * @param {string} where
 * @param {string} asOf
 * @param {object} options
 * @param {(part: object) => void} options.onProgress
 * @param {() => boolean} options.isStopped
 * @param {string} [options.reason] why, for the history
 * @param {string} [options.uri] the folder of S3 for archives; empty: that of the server
 */
export async function runForMatches(action, where, asOf, { onProgress, isStopped, reason = "", uri = "" }) {
  let next = null;
  do {
    if (isStopped()) return false;
    const body = { action, where, as_of: asOf, next, reason, uri: uri || null };
    const part = await sendJson("POST", "/workflows/bulk", body);
    onProgress(part);
    next = part.next;
  } while (next !== null);
  return true;
}
