// The buttons that restore a workflow from an archive: a file of this computer, or an object in S3.

import { html, useState } from "../vendor/preact.js";
import { restoreFromObject } from "../client/actions.js";
import { Confirm } from "../components/dialog.js";
import { showNotice } from "../components/notices.js";
import { FilePicker } from "../components/transfer.js";
import { navigate } from "../hooks/navigation.js";
import { receiveFile } from "../pages/start-page.js";
import { useAccess } from "../state/access.js";
import { folderOf, useArchives } from "../state/archives.js";
import { shortenId, workflowAddress } from "../state/address.js";

export function RestoreButtons() {
  const may = useAccess();
  const { buckets } = useArchives();
  const [uri, setUri] = useState(null);
  if (!may("admin")) return null;
  const restore = async () => {
    const id = await restoreFromObject(uri.trim());
    showNotice(`${shortenId(id)} is restored; use Restart to continue it`);
    navigate(workflowAddress(id));
  };
  return html`<${FilePicker}
      label="Restore an archive"
      accept=".json,application/json"
      onFile=${receiveFile}
    />
    ${
      buckets.length > 0 &&
      html`<button onClick=${() => setUri(folderOf(buckets[0]))}>Restore from S3</button>`
    }
    ${
      uri !== null &&
      html`<${Confirm}
        title="Restore an archive from S3?"
        word="Restore"
        asksReason=${false}
        act=${restore}
        onClose=${() => setUri(null)}
      >
        <label>
          Where${" "}
          <input value=${uri} onInput=${(event) => setUri(event.target.value)} />
        </label>
        <p class="muted">
          s3://BUCKET/KEY of one archive. The workflow gets its own id if that is free, else a new one.
        </p>
      <//>`
    }`;
}
