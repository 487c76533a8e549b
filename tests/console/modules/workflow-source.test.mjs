// Loading a workflow while responses are slow and updates arrive in between.

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.sessionStorage = globalThis.localStorage = { getItem: () => null };
const { WorkflowSource } = await import(`${process.env.LFR_CONSOLE}/state/workflow-source.js`);

const at = (ms) => new Date(1_700_000_000_000 + ms).toISOString();
const fact = (ms, index, event) => ({ at: at(ms), index, item: null, event, attempt: 1, reason: null });
const step = (index, state) => ({
  index,
  name: `s${index}`,
  base: "b",
  kind: "task",
  state,
  started: null,
  ended: null,
  attempt: 1,
  reason: null,
});
const whole = (moment, states, more = {}) => ({
  id: "workflow:x",
  name: "x",
  state: "RUNNING",
  started: at(0),
  moment,
  flow: { steps: [] },
  steps: states.map((state, index) => step(index, state)),
  ...more,
});
const buildUpdate = (moment, changes, state = "RUNNING") => ({ state, moment, changes, progress: {} });
const settled = () => new Promise((done) => setImmediate(done));

/** A source whose questions are respond by hand: `requests` has those that wait. */
function made() {
  const requests = [];
  const get = (path) => new Promise((answer, refuse) => requests.push({ path, answer, refuse }));
  const changes = [];
  const source = new WorkflowSource("workflow:x", get, () => changes.push(source.workflow));
  return { source, requests, changes };
}

async function load({ source, requests }, answer, history = []) {
  const done = source.refresh();
  await respond(requests, answer, history);
  return done;
}

async function respond(requests, answer, history = []) {
  await settled();
  requests.shift().answer(answer);
  await settled();
  requests.shift().answer(history);
  await settled();
}

const states = ({ source }) => source.workflow.steps.map(({ state }) => state);

test("the workflow comes first, then its history: no fact is missed between them", async () => {
  const setup = made();
  const done = setup.source.refresh();
  await settled();
  assert.deepEqual(
    setup.requests.map(({ path }) => path),
    ["/workflows/workflow%3Ax?values=false"],
  );
  await respond(setup.requests, whole("5-0", ["RUNNING", "PENDING"]), [fact(1, 0, "started")]);
  await done;
  assert.equal(setup.source.facts.length, 1);
  assert.equal(setup.changes.length, 1);
});

test("a response that is older than the updates does not undo them", async () => {
  const setup = made();
  await load(setup, whole("5-0", ["RUNNING", "PENDING", "PENDING"]), [fact(1, 0, "started")]);
  const done = setup.source.refresh();
  await settled();
  setup.source.applyUpdate(buildUpdate("6-0", [fact(6, 0, "ended"), fact(6, 1, "started")]));
  setup.source.applyUpdate(buildUpdate("7-0", [fact(7, 1, "ended"), fact(7, 2, "started")]));
  await respond(setup.requests, whole("6-0", ["DONE", "RUNNING", "PENDING"]), [
    fact(1, 0, "started"),
    fact(6, 0, "ended"),
    fact(6, 1, "started"),
  ]);
  await done;
  assert.deepEqual(states(setup), ["DONE", "DONE", "RUNNING"]);
  assert.equal(setup.source.workflow.moment, "7-0");
  assert.deepEqual(
    setup.source.facts.map(({ index, event }) => `${index} ${event}`),
    ["0 started", "0 ended", "1 started", "1 ended", "2 started"],
  );
});

test("a response that is newer than the updates wins", async () => {
  const setup = made();
  await load(setup, whole("5-0", ["RUNNING", "PENDING"]));
  const done = setup.source.refresh();
  await settled();
  setup.source.applyUpdate(buildUpdate("6-0", [fact(6, 0, "started")]));
  await respond(setup.requests, whole("8-0", ["DONE", "RUNNING"]), []);
  await done;
  assert.deepEqual(states(setup), ["DONE", "RUNNING"]);
});

test("one load at a time; a refresh meanwhile loads once more", async () => {
  const setup = made();
  await load(setup, whole("5-0", ["RUNNING"]));
  const all = [setup.source.refresh(), setup.source.refresh(), setup.source.refresh()];
  await settled();
  assert.equal(setup.requests.length, 1);
  await respond(setup.requests, whole("6-0", ["RUNNING"]));
  await respond(setup.requests, whole("7-0", ["DONE"]));
  await Promise.all(all);
  assert.equal(setup.requests.length, 0);
  assert.equal(setup.source.workflow.moment, "7-0");
});

test("a flow keeps its identity and so its layout; a later workflow of that id has another", async () => {
  const setup = made();
  await load(setup, whole("5-0", ["RUNNING"]), [fact(1, 0, "started")]);
  const { flow } = setup.source.workflow;
  await load(setup, whole("6-0", ["DONE"]));
  assert.equal(setup.source.workflow.flow, flow);
  await load(setup, whole("9-0", ["RUNNING"], { started: at(8) }), [fact(9, 0, "started")]);
  assert.notEqual(setup.source.workflow.flow, flow);
  assert.equal(setup.source.facts.length, 1);
});

test("only new history is loaded, with the facts of the last time", async () => {
  const setup = made();
  const facts = [fact(1, 0, "started"), fact(2, 0, "ended"), fact(2, 1, "started")];
  await load(setup, whole("5-0", ["RUNNING"]), facts);
  const done = setup.source.refresh();
  await settled();
  setup.requests.shift().answer(whole("6-0", ["RUNNING"]));
  await settled();
  assert.equal(setup.requests[0].path, `/workflows/workflow%3Ax/history?since=${encodeURIComponent(at(1))}`);
  setup.requests.shift().answer([...facts.slice(1), fact(3, 1, "ended")]);
  await done;
  assert.deepEqual(setup.source.facts, [...facts, fact(3, 1, "ended")]);
});

test("a problem is shown, the data stay, and the next response ends the problem", async () => {
  const setup = made();
  await load(setup, whole("5-0", ["RUNNING"]));
  const done = setup.source.refresh();
  await settled();
  setup.requests.shift().refuse(new Error("away"));
  await done;
  assert.equal(setup.source.problem.message, "away");
  assert.deepEqual(states(setup), ["RUNNING"]);
  await load(setup, whole("6-0", ["DONE"]));
  assert.equal(setup.source.problem, null);
});

test("a wait that is stored after its step is loaded until it appears", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  context.mock.method(performance, "now", () => 0); // responses take no time, however busy the machine is
  const setup = made();
  const waits = (more) =>
    whole("5-0", [], { steps: [{ ...step(0, "RUNNING"), base: "wait:event", ...more }] });
  await load(setup, waits({}));
  for (const rest of [300, 600]) {
    context.mock.timers.tick(rest - 1);
    await settled();
    assert.equal(setup.requests.length, 0);
    context.mock.timers.tick(1);
    await respond(setup.requests, waits(rest === 300 ? {} : { waits_for: { until: null, event: "paid" } }));
  }
  context.mock.timers.tick(20_000);
  await settled();
  assert.equal(setup.requests.length, 0);
});

test("a closed source calls onChange no more", async () => {
  const setup = made();
  const done = setup.source.refresh();
  setup.source.close();
  await respond(setup.requests, whole("5-0", ["RUNNING"]));
  await done;
  setup.source.applyUpdate(buildUpdate("6-0", [fact(6, 0, "ended")]));
  assert.equal(setup.changes.length, 0);
});
