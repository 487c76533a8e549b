// What somebody has typed on the start page. It outlives the page, so that a visit to another loses nothing;
// a flow that is written outlives a reload, too.

import { tabStorage } from "../client/browser-storage.js";
import { formatJson } from "../client/exact-json.js";
import { fillContents, listFields } from "./input-form.js";

const DRAFT_KEY = "lfr.draft";

/** The flow text, the name of its file, the input as JSON, and the id of the start. */
export const textDraft = { text: "", file: "", input: "", id: "", ...readKeptDraft() };

function readKeptDraft() {
  try {
    return JSON.parse(tabStorage.read(DRAFT_KEY) ?? "{}");
  } catch {
    return {}; // what another version has left
  }
}

/** Keep the draft for a reload of the page. */
export const keepTextDraft = () => tabStorage.store(DRAFT_KEY, JSON.stringify(textDraft));

const storedDrafts = new Map();

/** Return what is typed for a stored flow: `contents` of its fields, by name, and the `id` of the start. */
export const readStoredDraft = (name) => storedDrafts.get(name) ?? { contents: new Map(), id: "" };

export const keepStoredDraft = (name, draft) => storedDrafts.set(name, draft);

/** Fill the draft of a text with the text and the input of a run. */
export const fillTextDraft = (text, input) =>
  Object.assign(textDraft, { text, file: "", input: formatInput(input), id: "" });

/** Fill the draft of a stored flow, as `/flows/NAME` describes it, with the input of a run. */
export const fillStoredDraft = (flow, input) =>
  keepStoredDraft(flow.name, { contents: fillContents(listFields(flow.inputs), input), id: "" });

const formatInput = (input) => (isEmpty(input) ? "" : formatJson(input));

const isEmpty = (input) =>
  input === null || input === undefined || (typeof input === "object" && !Object.keys(input).length);
