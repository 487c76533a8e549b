// Stored flows: their names, their addresses, and the search among them. No DOM.

import { buildAddress } from "./address.js";

/** Return the address of the list of stored flows, searched for a text. */
export const storedFlowsAddress = (text = "") => buildAddress("start", { view: "stored", text });

/** Return the address of the form that starts a stored flow, `NAME` or `NAME@VERSION`. */
export const storedFlowAddress = (reference) => buildAddress("start", { flow: reference });

/** Return `NAME@VERSION`. */
export const formatReference = (name, version) => `${name}@${version}`;

/** Return the flows with each word of a text in their name or documentation, in any case. */
export function searchFlows(flows, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return flows.filter(({ name, doc }) => {
    const content = `${name} ${doc}`.toLowerCase();
    return words.every((word) => content.includes(word));
  });
}
