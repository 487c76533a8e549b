// What somebody wants to know first of a workflow: why it failed, or what it waits for.

import { ahead, between } from "./times.js";
import { isolated } from "./bidi.js";
import { stepName } from "../state/workflow.js";

const MOST = 4;
const LONG = 10_000; // milliseconds after which it is told that a worker has not answered yet

/**
 * Sentences, the most important first: `tone`, `text`, and the `step` that it is about.
 *
 * @param {object} workflow with its flow
 * @param {number} now milliseconds
 */
export function whatNow(workflow, now) {
  const { state, steps } = workflow;
  if (state === "FAILED") return failed(workflow);
  if (state === "TERMINATED") return [{ tone: "terminated", text: "It was terminated. Restart goes on from there; what is done stays done." }];
  if (state !== "RUNNING") return [];
  const running = steps.filter((step) => step.state === "RUNNING" && step.kind !== "subflow");
  const told = running.map((step) => sentence(step, workflow, now)).filter(Boolean);
  if (told.length <= MOST) return told;
  return [...told.slice(0, MOST), { tone: "running", text: `and ${told.length - MOST} more steps` }];
}

function failed(workflow) {
  const steps = workflow.steps.filter((step) => step.state === "FAILED").sort((a, b) => (a.ended < b.ended ? -1 : 1));
  if (!steps.length) return [{ tone: "failed", text: isolated(workflow.reason || "It has failed.") }];
  const [first, ...more] = steps;
  const others = more.length ? ` ${more.length} more failed.` : "";
  return [{ tone: "failed", step: first.index, text: `Step ${first.index}, ${called(first, workflow)}, failed: ${isolated(first.reason || "no reason was given")}.${others}` }];
}

function sentence(step, workflow, now) {
  const subject = `Step ${step.index}, ${called(step, workflow)},`;
  const waits = step.waits_for;
  if (step.reason) {
    const again = waits?.until ? `is tried again ${ahead(waits.until, now)}` : `is tried again (attempt ${step.attempt})`;
    return { tone: "terminating", step: step.index, text: `${subject} ${again}: ${step.reason}` };
  }
  if (waits?.event) return { tone: "running", step: step.index, waits, text: `${subject} waits for an event ${isolated(waits.event)}${waits.until ? `; its time-out comes ${ahead(waits.until, now)}` : ""}` };
  if (waits?.latch) return { tone: "running", step: step.index, text: `${subject} waits until the latch ${isolated(waits.latch)} is at zero` };
  if (waits?.until) return { tone: "running", step: step.index, text: `${subject} goes on ${ahead(waits.until, now)}` };
  if (step.items) return { tone: "running", step: step.index, text: `${subject} has done ${step.items.done} of ${step.items.total ?? "its"} items` };
  if (step.progress) return { tone: "running", step: step.index, text: `${subject} is at ${Math.round(100 * step.progress.fraction)} %${step.progress.text ? `: ${isolated(step.progress.text)}` : ""}` };
  if (now - Date.parse(step.started) > LONG) return { tone: "running", step: step.index, text: `${subject} has waited for its worker's answer for ${between(step.started, null, now)}` };
  return null;
}

const called = (step, workflow) => isolated(stepName(step, workflow.flow.steps[step.index]));
