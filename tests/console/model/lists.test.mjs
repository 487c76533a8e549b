// A list that changes while somebody looks at it.

import assert from "node:assert/strict";
import { test } from "node:test";

const { MOST_FRESH, fits, forEach, makeList, takeNews } = await import(`${process.env.LFR_CONSOLE}/state/workflow-list.js`);

const at = (second) => `2026-11-28T12:00:${String(second).padStart(2, "0")}.000Z`;
const row = (id, second, more = {}) => ({ id: `workflow:${id}`, name: "n", state: "RUNNING", started: at(second), ...more });
const ids = (rows) => rows.map(({ id }) => id.replace("workflow:", ""));
const told = (changed = [], gone = []) => ({ changed, gone });
const ALL = {};

const first = (more = {}) => makeList([row("c", 30), row("b", 20), row("a", 10)], { isFirst: true, isLast: false, ...more });

test("rows change where they stand, and none moves or goes", () => {
  const list = takeNews(first(), told([row("d", 40), row("a", 10, { state: "FAILED" })], ["workflow:b", "workflow:unknown"]), ALL);
  assert.deepEqual(ids(list.rows), ["c", "b", "a"]);
  assert.deepEqual(list.rows.map(({ state, isGone }) => isGone ?? state), ["RUNNING", true, "FAILED"]);
  assert.deepEqual(ids(list.fresh.map((id) => ({ id }))), ["d"]);
});

test("what did not change is the same object", () => {
  const list = first();
  assert.equal(takeNews(list, told([row("b", 20, { state: "FAILED" })]), ALL).rows[0], list.rows[0]);
});

test("new ones are counted once, and only those that are chosen", () => {
  let list = first();
  for (const news of [told([row("d", 40)]), told([row("d", 40, { state: "FINISHED" }), row("e", 50, { name: "other" })])]) list = takeNews(list, news, { name: "n" });
  assert.deepEqual(list.fresh, ["workflow:d"]);
});

test("what comes to fit later is new, too, if it belongs onto this page", () => {
  const chosen = { state: "FAILED" };
  const failed = (id, second) => row(id, second, { state: "FAILED" });
  const page = makeList([failed("c", 30), failed("a", 10)], { isFirst: true, isLast: false });
  assert.deepEqual(takeNews(page, told([failed("b", 20)]), chosen).fresh, ["workflow:b"]);
  assert.deepEqual(takeNews(page, told([failed("old", 5)]), chosen).fresh, []); // on a later page
  assert.deepEqual(takeNews({ ...page, isLast: true }, told([failed("old", 5)]), chosen).fresh, ["workflow:old"]);
});

test("on a later page nothing is new that was there before", () => {
  const before = [row("f", 59), row("e", 50), row("d", 40), row("c", 30)];
  let list = takeNews(first({ isFirst: false }), told(before), ALL);
  assert.deepEqual(list.fresh, []);
  list = takeNews(list, told([row("f", 59, { state: "FAILED" })]), ALL);
  assert.deepEqual(list.fresh, []);
  list = takeNews(list, told([row("g", 59)]), ALL);
  assert.deepEqual(list.fresh, ["workflow:g"]);
});

test("an empty list counts what fits", () => {
  const list = makeList([], { isFirst: true, isLast: true });
  assert.deepEqual(takeNews(list, told([row("a", 1), row("x", 2, { name: "other" })]), { name: "n" }).fresh, ["workflow:a"]);
});

test("a page that is open for days does not count for ever", () => {
  let list = first();
  for (let turn = 0; turn < 30; turn += 1) list = takeNews(list, told(Array.from({ length: 100 }, (_, n) => row(`${turn}-${n}`, 59))), ALL);
  assert.equal(list.fresh.length, MOST_FRESH);
});

test("what is chosen by a text", () => {
  const workflow = row("Order-1", 1, { name: "Größe" });
  for (const text of ["order", "ORDER-1", "größe", ""]) assert.ok(fits(workflow, { text }), text);
  for (const chosen of [{ text: "x" }, { name: "größe" }, { state: "FAILED" }]) assert.ok(!fits(workflow, chosen));
});

test("each is done, a few at a time, and what is against it is told", async () => {
  let running = 0;
  let most = 0;
  const done = [];
  const refused = await forEach(["a", "b", "c", "d", "e", "f", "g"], async (id) => {
    most = Math.max(most, (running += 1));
    await new Promise((go) => setImmediate(go));
    running -= 1;
    if (id === "c") throw new Error("no");
    done.push(id);
  }, 3);
  assert.equal(most, 3);
  assert.deepEqual(done.sort(), ["a", "b", "d", "e", "f", "g"]);
  assert.deepEqual([...refused].map(([id, problem]) => [id, problem.message]), [["c", "no"]]);
});
