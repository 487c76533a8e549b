// The button that opens the start page with the flow and the input of a workflow, to be edited.

import { html } from "../vendor/preact.js";
import { apiPath, getJson, getText, pathSegment } from "../client/api.js";
import { showNotice } from "../components/notices.js";
import { navigate } from "../hooks/navigation.js";
import { fillStoredDraft, fillTextDraft } from "../state/drafts.js";
import { formatReference, storedFlowAddress } from "../state/stored-flows.js";

export const StartAgain = ({ workflow }) => html`<button
  title="Open the start page with its flow and its input, which you can change"
  onClick=${() =>
    open(workflow).catch((problem) => showNotice(`${problem.message} ${problem.hint ?? ""}`, "failed"))}
>
  Start again
</button>`;

async function open({ id, name, version, steps }) {
  const start = await getJson(apiPath(id, `/steps/${steps[0].index}`)); // it has the input of the workflow
  const input = start.input ?? start.output;
  const reference = version && formatReference(name, version);
  const flow = reference && (await getJson(`/flows/${pathSegment(reference)}`).catch(unlessRemoved));
  if (flow) {
    fillStoredDraft(flow, input);
    navigate(storedFlowAddress(reference));
  } else {
    fillTextDraft(await getText(apiPath(id, "/source")), input);
    navigate("start");
  }
}

/** The text of a version that has been removed can be started all the same. */
function unlessRemoved(problem) {
  if (problem.status === 404) return null;
  throw problem;
}
