// What people do to workflows, as the API does it.

import { getFile, getText, saveAs, send, workflowAt } from "./api.js";

/** Stop, restart or delete a workflow. Raises Problem. */
export const act = (action, id) =>
  action === "delete" ? send("DELETE", workflowAt(id)) : send("POST", workflowAt(id, `/${action}`));

/** Let the browser save a workflow's archive, under the name that the API gives it. */
export async function downloadArchive(id) {
  const { name, text } = await getFile(workflowAt(id, "/archive"));
  saveAs(name ?? "workflow.json", text);
}

/** Let the browser save a flow's text. */
export async function downloadSource(id, name) {
  saveAs(`${name || "workflow"}.flow`, await getText(workflowAt(id, "/source")), "text/plain");
}

/** Make a workflow of an archive's text; its id. Raises Problem. */
export const restore = async (text) => (await send("POST", "/workflows/restore", text)).workflow;
