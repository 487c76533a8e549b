// Addresses <-> what they show.

import assert from "node:assert/strict";
import { test } from "node:test";

const { buildAddress, parseAddress, shortenId, workflowAddress } = await import(
  `${process.env.LFR_CONSOLE}/state/address.js`
);
const { apiPath, pathSegment } = await import(`${process.env.LFR_CONSOLE}/client/api.js`);

test("every page has its address", () => {
  for (const [path, page] of [
    ["", "workflows"],
    ["start", "start"],
    ["schedules", "schedules"],
    ["events", "events"],
    ["system", "system"],
    ["docs", "docs"],
    ["nowhere", "nothing"],
    ["start/", "nothing"],
    ["constructor", "nothing"],
    ["workflows/", "nothing"],
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
    assert.equal(parseAddress(new URL(path, "http://localhost/").pathname.slice(1), "").id, id);
  }
  assert.equal(workflowAddress("workflow:p/1.0"), "workflows/workflow:p/1.0");
  assert.deepEqual(parseAddress("workflows/x?y", ""), { page: "nothing", id: "", params: {} });
});

test("parameters come back, and those that are empty are left out", () => {
  const params = { text: "a&b=c ü/?#", state: "FAILED", name: "", next: undefined, step: 0, size: null };
  const [path, query] = buildAddress("./", params).split("?");
  assert.deepEqual(parseAddress(path, `?${query}`).params, {
    text: "a&b=c ü/?#",
    state: "FAILED",
    step: "0",
  });
  assert.equal(buildAddress("events", { kind: "" }), "events");
});

test("no parameter is one that nobody gave", () => {
  const { params } = parseAddress("", "?__proto__=x&constructor=y");
  assert.equal(params.toString === Object.prototype.toString, true);
  assert.equal({}.x, undefined);
  assert.equal(params.constructor, "y");
});

test("an id without the word that all begin with", () => {
  assert.equal(shortenId("workflow:x"), "x");
  assert.equal(shortenId("x-workflow:y"), "x-workflow:y");
});

test("a link that somebody else has made leads to no other path of the API", () => {
  for (const id of [
    "..",
    ".",
    "../latches",
    "workflow:x/../../latches",
    "workflow:x/..",
    "..%2F..%2Flatches",
    "workflow:x%2F..%2F..%2Flatches%2Fa%2Freset",
    "%2e%2e/latches",
    "%2e%2e%2flatches",
    "x?values=false",
    "x%3Fvalues%3Dfalse",
    "x%23y",
    "x%5C..%5Clatches",
    "x//evil.example",
    "x%0Ay",
    "x%1B",
    "%E0%A4%A",
  ]) {
    assert.equal(parseAddress(`workflows/${id}`, "").page, "nothing", id);
  }
});

test("a path of the API has the segments that it is built of", () => {
  for (const id of ["..", ".", "../latches", "a/../../latches", "a?b", "a#b", "a\\\\..\\\\b", "%2e%2e/b"]) {
    const path = apiPath(id, "/history");
    const { pathname, search, hash } = new URL(`/api${path}`, "http://localhost");
    assert.equal(pathname, `/api${path}`, id);
    assert.ok(pathname.startsWith("/api/workflows/") && pathname.endsWith("/history"), id);
    assert.equal(search + hash, "");
  }
  assert.equal(apiPath("workflow:p/1.0"), "/workflows/workflow%3Ap/1.0");
  assert.equal(pathSegment("a/b"), "a%2Fb");
});
