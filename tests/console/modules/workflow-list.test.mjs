// A list that changes while somebody looks at it.

import assert from "node:assert/strict";
import { test } from "node:test";

const { runForEach } = await import(`${process.env.LFR_CONSOLE}/client/actions.js`);
const { formatWhere, matchesFilters, pickFilters } = await import(
  `${process.env.LFR_CONSOLE}/state/list-filter.js`
);
const { MAX_NEW, createList, applyListUpdate } = await import(
  `${process.env.LFR_CONSOLE}/state/workflow-list.js`
);

test("a group of failures is a filter, which no live update matches", () => {
  const filters = pickFilters({ state: "FAILED", failure: "1f0c9a3b5d7e", ended: "1d", size: "50" });
  assert.equal(formatWhere(filters), 'state="FAILED" ended="1d" failure="1f0c9a3b5d7e"');
  const failed = { id: "workflow:a", name: "n", state: "FAILED", ended: "2026-11-28T12:00:00.000Z" };
  assert.ok(!matchesFilters(failed, filters));
  assert.ok(matchesFilters(failed, { ended: "1d" }));
  assert.ok(!matchesFilters({ ...failed, ended: null }, { ended: "1d" }));
  assert.equal(formatWhere({ parent: "workflow:p" }), 'parent="workflow:p"');
  assert.ok(matchesFilters({ ...failed, parent: "workflow:p" }, { parent: "workflow:p" }));
  assert.ok(!matchesFilters({ ...failed, parent: null }, { parent: "workflow:p" }));
});

const at = (second) => `2026-11-28T12:00:${String(second).padStart(2, "0")}.000Z`;
const row = (id, second, more = {}) => ({
  id: `workflow:${id}`,
  name: "n",
  state: "RUNNING",
  started: at(second),
  ...more,
});
const ids = (rows) => rows.map(({ id }) => id.replace("workflow:", ""));
const update = (changed = [], gone = []) => ({ changed, gone });
const ALL = {};

const first = (more = {}) =>
  createList([row("c", 30), row("b", 20), row("a", 10)], { isFirst: true, isLast: false, ...more });

test("rows change where they stand, and none moves or goes", () => {
  const list = applyListUpdate(
    first(),
    update([row("d", 40), row("a", 10, { state: "FAILED" })], ["workflow:b", "workflow:unknown"]),
    ALL,
  );
  assert.deepEqual(ids(list.rows), ["c", "b", "a"]);
  assert.deepEqual(
    list.rows.map(({ state, isDeleted }) => isDeleted ?? state),
    ["RUNNING", true, "FAILED"],
  );
  assert.deepEqual(ids(list.newIds.map((id) => ({ id }))), ["d"]);
});

test("what did not change is the same object", () => {
  const list = first();
  assert.equal(applyListUpdate(list, update([row("b", 20, { state: "FAILED" })]), ALL).rows[0], list.rows[0]);
});

test("new ones are counted once, and only those that are filters", () => {
  let list = first();
  for (const each of [
    update([row("d", 40)]),
    update([row("d", 40, { state: "FINISHED" }), row("e", 50, { name: "other" })]),
  ])
    list = applyListUpdate(list, each, { name: "n" });
  assert.deepEqual(list.newIds, ["workflow:d"]);
});

test("what comes to fit later is new, too, if it belongs onto this page", () => {
  const filters = { state: "FAILED" };
  const failed = (id, second) => row(id, second, { state: "FAILED" });
  const page = createList([failed("c", 30), failed("a", 10)], { isFirst: true, isLast: false });
  assert.deepEqual(applyListUpdate(page, update([failed("b", 20)]), filters).newIds, ["workflow:b"]);
  assert.deepEqual(applyListUpdate(page, update([failed("old", 5)]), filters).newIds, []); // on a later page
  assert.deepEqual(applyListUpdate({ ...page, isLast: true }, update([failed("old", 5)]), filters).newIds, [
    "workflow:old",
  ]);
});

test("of workflows that started in one millisecond, those of the next page are not new", () => {
  const list = first({ isLast: false }); // its last row is a, of second 10
  assert.deepEqual(applyListUpdate(list, update([row("0", 10), row("b2", 10)]), ALL).newIds, ["workflow:b2"]);
});

test("on a later page nothing is new that was there before", () => {
  const before = [row("f", 59), row("e", 50), row("d", 40), row("c", 30)];
  let list = applyListUpdate(first({ isFirst: false }), update(before), ALL);
  assert.deepEqual(list.newIds, []);
  list = applyListUpdate(list, update([row("f", 59, { state: "FAILED" })]), ALL);
  assert.deepEqual(list.newIds, []);
  list = applyListUpdate(list, update([row("g", 59)]), ALL);
  assert.deepEqual(list.newIds, ["workflow:g"]);
});

test("an empty list counts what fits", () => {
  const list = createList([], { isFirst: true, isLast: true });
  assert.deepEqual(
    applyListUpdate(list, update([row("a", 1), row("x", 2, { name: "other" })]), { name: "n" }).newIds,
    ["workflow:a"],
  );
});

test("a page that is open for days does not count for ever", () => {
  let list = first();
  for (let turn = 0; turn < 30; turn += 1)
    list = applyListUpdate(list, update(Array.from({ length: 100 }, (_, n) => row(`${turn}-${n}`, 59))), ALL);
  assert.equal(list.newIds.length, MAX_NEW);
});

test("what is filters by a text", () => {
  const workflow = row("Order-1", 1, { name: "Größe" });
  for (const text of ["order", "ORDER-1", "größe", ""]) assert.ok(matchesFilters(workflow, { text }), text);
  for (const filters of [{ text: "x" }, { name: "größe" }, { state: "FAILED" }])
    assert.ok(!matchesFilters(workflow, filters));
});

test("a function runs for each id, a few at a time, and problems are returned", async () => {
  let running = 0;
  let most = 0;
  const done = [];
  const refused = await runForEach(
    ["a", "b", "c", "d", "e", "f", "g"],
    async (id) => {
      most = Math.max(most, (running += 1));
      await new Promise((go) => setImmediate(go));
      running -= 1;
      if (id === "c") throw new Error("no");
      done.push(id);
    },
    3,
  );
  assert.equal(most, 3);
  assert.deepEqual(done.sort(), ["a", "b", "d", "e", "f", "g"]);
  assert.deepEqual(
    [...refused].map(([id, problem]) => [id, problem.message]),
    [["c", "no"]],
  );
});

test("a filter is a text for the API", () => {
  assert.equal(formatWhere({}), "");
  const filters = {
    state: "FAILED",
    name: "order",
    text: 'a "b"',
    label: "tenant=7  a=b=c",
    since: "1d",
    reason: "x\\y",
  };
  assert.equal(
    formatWhere(filters),
    'state="FAILED" flow="order" text~"a \\"b\\"" label.tenant="7" label.a="b=c" since="1d" reason~"x\\\\y"',
  );
  assert.equal(formatWhere({ label: "tenant" }), "label.tenant");
  assert.deepEqual(pickFilters({ state: "FAILED", next: "1_workflow:a", text: "" }), { state: "FAILED" });
});

test("a live update matches by label and reason", () => {
  const workflow = {
    id: "workflow:a",
    name: "a",
    state: "FAILED",
    labels: { tenant: "7" },
    reason: "Timeout",
  };
  for (const filters of [{ label: "tenant=7" }, { reason: "time" }, { since: "1d" }]) {
    assert.ok(matchesFilters(workflow, filters));
  }
  for (const filters of [
    { label: "tenant=8" },
    { label: "tenant" },
    { label: "tenant=7 a=b" },
    { reason: "disk" },
  ]) {
    assert.ok(!matchesFilters(workflow, filters));
  }
});
