// Stored flows: their addresses, and the search among them.

import assert from "node:assert/strict";
import { test } from "node:test";

const { formatReference, searchFlows, storedFlowAddress, storedFlowsAddress } = await import(
  `${process.env.LFR_CONSOLE}/state/stored-flows.js`
);
const { parseAddress } = await import(`${process.env.LFR_CONSOLE}/state/address.js`);

test("list and form have an address each", () => {
  const read = (address) => {
    const [path, query = ""] = address.split("?");
    return parseAddress(path, query);
  };
  assert.deepEqual(read(storedFlowsAddress()), { page: "start", id: "", params: { view: "stored" } });
  assert.deepEqual(read(storedFlowsAddress("a&b ü")).params, { view: "stored", text: "a&b ü" });
  assert.deepEqual(read(storedFlowAddress(formatReference("ns:order", 3))).params, { flow: "ns:order@3" });
});

test("a search finds each word in name or documentation", () => {
  const flows = [
    { name: "order", doc: "From payment to parcel" },
    { name: "backup", doc: "" },
    { name: "reorder", doc: "" },
  ];
  const search = (text) => searchFlows(flows, text).map(({ name }) => name);
  assert.deepEqual(search(" "), ["order", "backup", "reorder"]);
  assert.deepEqual(search("ORDER"), ["order", "reorder"]);
  assert.deepEqual(search("parcel order"), ["order"]);
  assert.deepEqual(search("parcel backup"), []);
});
