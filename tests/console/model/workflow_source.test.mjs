// What is known of a workflow while answers are slow and news come in between.

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.sessionStorage = globalThis.localStorage = { getItem: () => null };
const { WorkflowSource } = await import(`${process.env.LFR_CONSOLE}/state/workflow-source.js`);

const at = (ms) => new Date(1_700_000_000_000 + ms).toISOString();
const fact = (ms, index, event) => ({ at: at(ms), index, item: null, event, attempt: 1, reason: null });
const step = (index, state) => ({ index, name: `s${index}`, base: "b", kind: "task", state, started: null, ended: null, attempt: 1, reason: null });
const whole = (moment, states, more = {}) => ({ id: "workflow:x", name: "x", state: "RUNNING", started: at(0), moment, flow: { steps: [] }, steps: states.map((state, index) => step(index, state)), ...more });
const news = (moment, changes, state = "RUNNING") => ({ state, moment, changes, progress: {} });
const settled = () => new Promise((done) => setImmediate(done));

/** A source whose questions are answered by hand: `asked` has those that wait. */
function made() {
  const asked = [];
  const get = (path) => new Promise((answer, refuse) => asked.push({ path, answer, refuse }));
  const told = [];
  const source = new WorkflowSource("workflow:x", get, () => told.push(source.workflow));
  return { source, asked, told };
}

async function load({ source, asked }, answer, history = []) {
  const done = source.refresh();
  await answered(asked, answer, history);
  return done;
}

async function answered(asked, answer, history = []) {
  await settled();
  asked.shift().answer(answer);
  await settled();
  asked.shift().answer(history);
  await settled();
}

const states = ({ source }) => source.workflow.steps.map(({ state }) => state);

test("the workflow comes first, then its history: no fact is missed between them", async () => {
  const there = made();
  const done = there.source.refresh();
  await settled();
  assert.deepEqual(there.asked.map(({ path }) => path), ["/workflows/workflow%3Ax?values=false"]);
  await answered(there.asked, whole("5-0", ["RUNNING", "PENDING"]), [fact(1, 0, "started")]);
  await done;
  assert.equal(there.source.facts.length, 1);
  assert.equal(there.told.length, 1);
});

test("an answer that is older than the news does not undo them", async () => {
  const there = made();
  await load(there, whole("5-0", ["RUNNING", "PENDING", "PENDING"]), [fact(1, 0, "started")]);
  const done = there.source.refresh();
  await settled();
  there.source.take(news("6-0", [fact(6, 0, "ended"), fact(6, 1, "started")]));
  there.source.take(news("7-0", [fact(7, 1, "ended"), fact(7, 2, "started")]));
  await answered(there.asked, whole("6-0", ["DONE", "RUNNING", "PENDING"]), [fact(1, 0, "started"), fact(6, 0, "ended"), fact(6, 1, "started")]);
  await done;
  assert.deepEqual(states(there), ["DONE", "DONE", "RUNNING"]);
  assert.equal(there.source.workflow.moment, "7-0");
  assert.deepEqual(there.source.facts.map(({ index, event }) => `${index} ${event}`), ["0 started", "0 ended", "1 started", "1 ended", "2 started"]);
});

test("an answer that is newer than the news is believed", async () => {
  const there = made();
  await load(there, whole("5-0", ["RUNNING", "PENDING"]));
  const done = there.source.refresh();
  await settled();
  there.source.take(news("6-0", [fact(6, 0, "started")]));
  await answered(there.asked, whole("8-0", ["DONE", "RUNNING"]), []);
  await done;
  assert.deepEqual(states(there), ["DONE", "RUNNING"]);
});

test("one question at a time; what is wanted meanwhile is asked once more", async () => {
  const there = made();
  await load(there, whole("5-0", ["RUNNING"]));
  const all = [there.source.refresh(), there.source.refresh(), there.source.refresh()];
  await settled();
  assert.equal(there.asked.length, 1);
  await answered(there.asked, whole("6-0", ["RUNNING"]));
  await answered(there.asked, whole("7-0", ["DONE"]));
  await Promise.all(all);
  assert.equal(there.asked.length, 0);
  assert.equal(there.source.workflow.moment, "7-0");
});

test("a flow keeps its identity, and with it its picture; another workflow of that id has another", async () => {
  const there = made();
  await load(there, whole("5-0", ["RUNNING"]), [fact(1, 0, "started")]);
  const { flow } = there.source.workflow;
  await load(there, whole("6-0", ["DONE"]));
  assert.equal(there.source.workflow.flow, flow);
  await load(there, whole("9-0", ["RUNNING"], { started: at(8) }), [fact(9, 0, "started")]);
  assert.notEqual(there.source.workflow.flow, flow);
  assert.equal(there.source.facts.length, 1);
});

test("of the history only what is new is asked for, and what is of the same time as the last", async () => {
  const there = made();
  const facts = [fact(1, 0, "started"), fact(2, 0, "ended"), fact(2, 1, "started")];
  await load(there, whole("5-0", ["RUNNING"]), facts);
  const done = there.source.refresh();
  await settled();
  there.asked.shift().answer(whole("6-0", ["RUNNING"]));
  await settled();
  assert.equal(there.asked[0].path, `/workflows/workflow%3Ax/history?since=${encodeURIComponent(at(1))}`);
  there.asked.shift().answer([...facts.slice(1), fact(3, 1, "ended")]);
  await done;
  assert.deepEqual(there.source.facts, [...facts, fact(3, 1, "ended")]);
});

test("trouble is told, what was known stays, and the next answer ends it", async () => {
  const there = made();
  await load(there, whole("5-0", ["RUNNING"]));
  const done = there.source.refresh();
  await settled();
  there.asked.shift().refuse(new Error("away"));
  await done;
  assert.equal(there.source.problem.message, "away");
  assert.deepEqual(states(there), ["RUNNING"]);
  await load(there, whole("6-0", ["DONE"]));
  assert.equal(there.source.problem, null);
});

test("a wait that begins after its step is asked for until it is told", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  context.mock.method(performance, "now", () => 0); // answers take no time, however busy the machine is
  const there = made();
  const waits = (more) => whole("5-0", [], { steps: [{ ...step(0, "RUNNING"), base: "wait:event", ...more }] });
  await load(there, waits({}));
  for (const rest of [300, 600]) {
    context.mock.timers.tick(rest - 1);
    await settled();
    assert.equal(there.asked.length, 0);
    context.mock.timers.tick(1);
    await answered(there.asked, waits(rest === 300 ? {} : { waits_for: { until: null, event: "paid" } }));
  }
  context.mock.timers.tick(20_000);
  await settled();
  assert.equal(there.asked.length, 0);
});

test("once it is closed, nothing is told any more", async () => {
  const there = made();
  const done = there.source.refresh();
  there.source.close();
  await answered(there.asked, whole("5-0", ["RUNNING"]));
  await done;
  there.source.take(news("6-0", [fact(6, 0, "ended")]));
  assert.equal(there.told.length, 0);
});
