// Addresses <-> what they show.

import assert from "node:assert/strict";
import { test } from "node:test";

const { buildAddress, parseAddress, shortenId, workflowAddress } = await import(
  `${process.env.LFR_CONSOLE}/state/address.js`
);

test("every page has its address", () => {
  for (const [path, page] of [
    ["/", "workflows"],
    ["/start", "start"],
    ["/events", "events"],
    ["/system", "system"],
    ["/nowhere", "nothing"],
    ["/start/", "nothing"],
    ["/constructor", "nothing"],
    ["/workflows/", "nothing"],
  ]) {
    assert.equal(parseAddress(path, "").page, page, path);
  }
});

test("the id of a workflow comes back from its address", () => {
  for (const id of [
    "workflow:x",
    "workflow:a-b.c_d",
    "workflow:p/1.0",
    "workflow:p/1.0/2.13",
    "workflow:größe",
    "workflow:مرحبا",
  ]) {
    const path = workflowAddress(id);
    assert.equal(parseAddress(path, "").id, id);
    assert.equal(parseAddress(new URL(path, "http://localhost").pathname, "").id, id);
  }
  assert.equal(workflowAddress("workflow:p/1.0"), "/workflows/workflow:p/1.0");
  assert.deepEqual(parseAddress("/workflows/%E0%A4%A", ""), { page: "workflow", id: "%E0%A4%A", params: {} });
});

test("parameters come back, and those that are empty are left out", () => {
  const params = { text: "a&b=c ü/?#", state: "FAILED", name: "", next: undefined, step: 0, size: null };
  const [path, query] = buildAddress("/", params).split("?");
  assert.deepEqual(parseAddress(path, `?${query}`).params, {
    text: "a&b=c ü/?#",
    state: "FAILED",
    step: "0",
  });
  assert.equal(buildAddress("/events", { kind: "" }), "/events");
});

test("no parameter is one that nobody gave", () => {
  const { params } = parseAddress("/", "?__proto__=x&constructor=y");
  assert.equal(params.toString === Object.prototype.toString, true);
  assert.equal({}.x, undefined);
  assert.equal(params.constructor, "y");
});

test("an id without the word that all begin with", () => {
  assert.equal(shortenId("workflow:x"), "x");
  assert.equal(shortenId("x-workflow:y"), "x-workflow:y");
});
