// The buttons for the actions on a workflow.

import { html, useState } from "../vendor/preact.js";
import { archiveOnServer, downloadArchive, runWorkflowAction, WORKFLOW_ACTIONS } from "../client/actions.js";
import { Confirm } from "../components/dialog.js";
import { showNotice } from "../components/notices.js";
import { hasEnded } from "../format/state-labels.js";
import { navigate } from "../hooks/navigation.js";
import { useAccess } from "../state/access.js";
import { shortenId } from "../state/address.js";
import { folderOf, useArchives } from "../state/archives.js";
import { StartAgain } from "./start-again.js";

export function WorkflowActions({ workflow, refresh }) {
  const may = useAccess();
  const [openAction, setOpenAction] = useState(null);
  const [objectUri, setObjectUri] = useState(null);
  const [isDownloaded, setIsDownloaded] = useState(false);
  const { id, actions } = workflow;
  const next = workflow.state === "FAILED" || workflow.state === "TERMINATED" ? "restart" : "";
  const name = shortenId(id);
  const reportProblem = (promise) =>
    promise.catch((problem) => showNotice(`${problem.message} ${problem.hint ?? ""}`, "failed"));
  const download = async () => {
    await downloadArchive(id);
    setIsDownloaded(true);
  };
  const archives = useArchives();
  const archive = async (uri) => showNotice(`Archived in ${await archiveOnServer(id, uri)}`);
  const finish = (action) => {
    showNotice(`${name} ${WORKFLOW_ACTIONS[action].done}`);
    if (action === "delete") navigate("./");
    else refresh();
  };
  return html`<div class="buttons actions">
    ${Object.entries(WORKFLOW_ACTIONS)
      .filter(([action, { role }]) => may(role) && (actions[action] === null || !isOfNoUse(action, workflow)))
      .sort(([first], [second]) => Number(second === next) - Number(first === next))
      .map(
        ([action, { label, title }]) => html`<${ActionButton}
        key=${action}
        isPrimary=${action === next}
        label=${label}
        title=${title}
        refusal=${actions[action]}
        onClick=${() => setOpenAction(action)}
      />`,
      )}
    ${may("operate") && !workflow.parent && html`<${StartAgain} workflow=${workflow} />`}
    <${ActionButton}
      label="Download archive"
      title="Download the workflow as one JSON document, which you can restore"
      refusal=${actions.archive}
      onClick=${() => reportProblem(download())}
    />
    ${
      may("admin") &&
      archives.folder &&
      html`<${ActionButton}
        label="Archive on server"
        title="Write the archive to the folder archive.folder of the server"
        refusal=${actions.archive}
        onClick=${() => reportProblem(archive())}
      />`
    }
    ${
      may("admin") &&
      archives.buckets.length > 0 &&
      html`<${ActionButton}
        label="Archive in S3"
        title="Let the server write the archive to S3"
        refusal=${actions.archive}
        onClick=${() => setObjectUri(folderOf(archives.buckets[0]))}
      />`
    }
    ${
      objectUri !== null &&
      html`<${Confirm}
        title=${`Archive ${name} in S3?`}
        word="Archive"
        asksReason=${false}
        act=${() => archive(objectUri.trim())}
        onClose=${() => setObjectUri(null)}
      >
        <label>
          Where${" "}
          <input value=${objectUri} onInput=${(event) => setObjectUri(event.target.value)} />
        </label>
        <p class="muted">
          s3://BUCKET/KEY. A folder, which ends with a slash, gets a name of the workflow. An object that is
          there is replaced.
        </p>
      <//>`
    }
    ${
      openAction &&
      html`<${Confirm}
        title=${WORKFLOW_ACTIONS[openAction].ask(name)}
        word=${WORKFLOW_ACTIONS[openAction].label}
        danger=${WORKFLOW_ACTIONS[openAction].danger}
        act=${(reason) => runWorkflowAction(openAction, id, reason)}
        onDone=${() => finish(openAction)}
        onClose=${() => setOpenAction(null)}
      >
        <p>${WORKFLOW_ACTIONS[openAction].effect}</p>
        ${
          openAction === "delete" &&
          html`<p>
            <button onClick=${() => reportProblem(download())}>
              ${isDownloaded ? "The archive is downloaded" : "Download its archive first"}
            </button>
          </p>`
        }
      <//>`
    }
  </div>`;
}

/** Return whether nobody looks for an action here: one of pause and resume, and both once it has ended. */
const isOfNoUse = (action, { paused, state }) =>
  action === "resume" ? !paused : action === "pause" && (paused || hasEnded(state));

/** A button that keeps the focus order: while its action is refused, a click shows the reason. */
const ActionButton = ({ label, title, refusal, onClick, isPrimary = false }) => html`<button
  class=${isPrimary ? "primary" : ""}
  aria-disabled=${refusal === null ? null : "true"}
  title=${refusal ?? title}
  onClick=${refusal === null ? onClick : () => showNotice(refusal, "failed")}
>
  ${label}
</button>`;
