// What can be done to a workflow as a whole. What cannot be done now says why, also to those who have no pointer.

import { html, useState } from "../vendor/preact.js";
import { send, workflowAt } from "../client/api.js";
import { ACTIONS } from "../client/action-words.js";
import { shortId } from "../state/address.js";
import { act, downloadArchive } from "../client/actions.js";
import { Confirm } from "../components/dialog.js";
import { go } from "../hooks/navigation.js";
import { say } from "../components/notices.js";

export function WorkflowActions({ workflow, refresh }) {
  const [asked, setAsked] = useState(null);
  const [archived, setArchived] = useState(false);
  const { id, actions } = workflow;
  const name = shortId(id);
  const tell = (promise) => promise.catch((problem) => say(`${problem.message} ${problem.hint ?? ""}`, "failed"));
  const archive = async () => {
    await downloadArchive(id);
    setArchived(true);
  };
  const keep = async () => say(`Archived in ${(await send("POST", workflowAt(id, "/archive"))).file} on the server`);
  const done = (action) => {
    say(`${name} ${ACTIONS[action].said}`);
    if (action === "delete") go("/");
    else refresh();
  };
  return html`<div class="buttons actions">
    ${Object.entries(ACTIONS).map(([action, { label, title }]) => html`<${Possible} key=${action} label=${label} title=${title} refusal=${actions[action]} onClick=${() => setAsked(action)} />`)}
    <${Possible} label="Download archive" title="All of it as one JSON document, that can be restored" refusal=${actions.archive} onClick=${() => tell(archive())} />
    <${Possible} label="Archive on server" title="Its archive into the folder that the setting archive.folder names" refusal=${actions.archive} onClick=${() => tell(keep())} />
    ${asked && html`<${Confirm} title=${ACTIONS[asked].ask(name)} word=${ACTIONS[asked].label} danger=${ACTIONS[asked].danger}
      act=${() => act(asked, id)} onDone=${() => done(asked)} onClose=${() => setAsked(null)}>
      <p>${ACTIONS[asked].means}</p>
      ${asked === "delete" && html`<p><button onClick=${() => tell(archive())}>${archived ? "The archive is downloaded" : "Download its archive first"}</button></p>`}<//>`}
  </div>`;
}

/** A button that can always be reached. If it cannot be used now, it says why not. */
const Possible = ({ label, title, refusal, onClick }) => html`<button aria-disabled=${refusal === null ? null : "true"} title=${refusal ?? title}
  onClick=${refusal === null ? onClick : () => say(refusal, "failed")}>${label}</button>`;
