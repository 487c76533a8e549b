// Sentences on the status of a workflow: why it failed, or what its steps wait for.

import { formatStepName } from "../state/workflow.js";
import { describeActor } from "./actors.js";
import { isolateBidi } from "./text.js";
import { formatElapsed, formatExact, formatUntil } from "./times.js";

const MAX_SENTENCES = 4;
const MISSING_AFTER_MS = 5000; // a worker may just be starting
const SLOW_AFTER_MS = 10_000; // a step without a result for this long is mentioned

/**
 * @typedef {object} Sentence
 * @property {string} tone
 * @property {string} text
 * @property {number} [step] the index of the step
 * @property {object} [waits] what the step waits for
 */

/**
 * Return sentences: on the first failure, on the termination, or on running steps: up to four by index, and
 * how many more. None if the workflow has finished, unless a part of its flow can
 * never start, or nothing is worth a sentence.
 *
 * @param {any} workflow with its flow
 * @param {number} now milliseconds
 * @returns {Sentence[]}
 */
export function describeStatus(workflow, now) {
  const { state, steps } = workflow;
  if (state === "FAILED") return [describeFailure(workflow)];
  if (state === "TERMINATED") {
    const last = workflow.by_hand?.at(-1);
    const actor = last?.event === "terminated" ? ` ${isolateBidi(describeActor(last))}` : "";
    const text = `It was terminated${actor}. Restart continues it; completed steps stay done.`;
    return [{ tone: "terminated", text }];
  }
  if (state === "FINISHED" && workflow.warning) {
    const warning = isolateBidi(workflow.warning);
    if (!workflow.steps.length)
      return [{ tone: "done", text: `Only its input and its output remain: ${warning}.` }];
    return [{ tone: "terminating", text: `It finished, but ${warning}.` }];
  }
  if (state !== "RUNNING") return [];
  /** @type {Sentence[]} */
  const paused = workflow.paused
    ? [
        {
          tone: "terminating",
          text: `${formatPause(workflow.paused)}: what runs may end, nothing new starts.`,
        },
      ]
    : [];
  const running = steps.filter((step) => step.state === "RUNNING" && step.kind !== "subflow");
  const sentences = running.map((step) => describeStep(step, workflow, now)).filter(Boolean);
  const others = sentences.splice(MAX_SENTENCES);
  if (others.length) sentences.push({ tone: "running", text: `and ${others.length} more steps` });
  return [...paused, ...sentences];
}

/** @returns {Sentence} */
function describeFailure(workflow) {
  const steps = workflow.steps
    .filter((step) => step.state === "FAILED")
    .sort((a, b) => (a.ended < b.ended ? -1 : 1));
  if (!steps.length) return { tone: "failed", text: isolateBidi(workflow.reason || "It has failed.") };
  const [first, ...others] = steps;
  const reason = isolateBidi(first.reason || "no reason given");
  const more = others.length ? ` ${others.length} more failed.` : "";
  const subject = `Step ${first.index}, ${formatName(first, workflow)},`;
  const text = `${subject} failed: ${reason}.${more}${describeRest(workflow)}`;
  return { tone: "failed", step: first.index, text };
}

/** What runs beside a failed step goes on, and its results are kept. Return how many such steps there are. */
function describeRest({ steps }) {
  const running = steps.filter((step) => step.state === "RUNNING" && step.kind !== "subflow").length;
  if (!running) return "";
  return running === 1 ? " One other step still runs." : ` ${running} other steps still run.`;
}

/** @returns {Sentence|null} */
function describeStep(step, workflow, now) {
  const subject = `Step ${step.index}, ${formatName(step, workflow)},`;
  const waits = step.waits_for;
  if (waits?.worker && now - Date.parse(waits.since) > MISSING_AFTER_MS) {
    const items = step.items ? `${describeProgress(step, now)}, and ` : "";
    const text = `${subject} ${items}waits for a worker: ${isolateBidi(describeMissingWorker(waits, now))}`;
    return { tone: "terminating", step: step.index, text };
  }
  if (step.reason) {
    const retry = waits?.until ? formatUntil(waits.until, now) : `(attempt ${step.tries})`;
    return { tone: "terminating", step: step.index, text: `${subject} is retried ${retry}: ${step.reason}` };
  }
  const predicate = (waits && describeWait(waits, now)) ?? describeProgress(step, now);
  return predicate && { tone: "running", step: step.index, waits, text: `${subject} ${predicate}` };
}

/** Return what is paused, and since when: `Everything is paused since ...`. */
export function formatPause({ scope, name, since, deadlines }) {
  const words = { all: "Everything", workflow: "It" };
  const what = words[scope] ?? `The ${scope} ${isolateBidi(name)}`;
  const stop = deadlines === "stop" ? ", deadlines stand still" : "";
  return `${what} is paused since ${formatExact(since)}${stop}`;
}

/** Return a text that says that no live worker does a task, since when, and what to do. */
export function describeMissingWorker({ message, hint, since }, now) {
  return `${message}, for ${formatElapsed(since, null, now)} (${hint})`;
}

function describeWait({ event, latch, until }, now) {
  if (event) {
    const timeout = until ? `; it times out ${formatUntil(until, now)}` : "";
    return `waits for an event ${isolateBidi(event)}${timeout}`;
  }
  if (latch) return `waits until the latch ${isolateBidi(latch)} is at zero`;
  return until ? `continues ${formatUntil(until, now)}` : null;
}

function describeProgress({ items, progress, started }, now) {
  if (items) return `has done ${items.done} of ${items.total ?? "its"} items`;
  if (progress) {
    const text = progress.text ? `: ${isolateBidi(progress.text)}` : "";
    return `is at ${Math.round(100 * progress.fraction)} %${text}`;
  }
  if (now - Date.parse(started) <= SLOW_AFTER_MS) return null;
  return `has waited for the result of its worker for ${formatElapsed(started, null, now)}`;
}

const formatName = (step, workflow) => isolateBidi(formatStepName(step, workflow.flow.steps[step.index]));
