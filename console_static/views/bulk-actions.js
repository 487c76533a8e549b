// What is done to many workflows: to those that are chosen, or to all that match the filter.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import {
  countMatches,
  downloadArchive,
  MATCH_ACTIONS,
  runForEach,
  runForMatches,
  runWorkflowAction,
  WORKFLOW_ACTIONS,
} from "../client/actions.js";
import { Confirm, Dialog, ProblemMessage, ReasonField } from "../components/dialog.js";
import { WORKFLOW_STATES } from "../format/state-labels.js";
import { useAccess } from "../state/access.js";
import { shortenId } from "../state/address.js";
import { folderOf, useArchives } from "../state/archives.js";
import { compareAddress } from "../state/flow-runs.js";

export function BulkActions({ ids, onDone, onClear }) {
  const may = useAccess();
  const [action, setAction] = useState(null);
  const [problems, setProblems] = useState(null);
  const subject = ids.length === 1 ? shortenId(ids[0]) : `${ids.length} workflows`;
  async function archive() {
    const failures = await runForEach(ids, downloadArchive, 1);
    if (failures.size) setProblems(failures);
  }
  return html`<div class="bulk" role="toolbar" aria-label="For what is chosen">
    <span>${ids.length} chosen</span>
    ${Object.entries(WORKFLOW_ACTIONS)
      .filter(([, { role }]) => may(role))
      .map(
        ([word, { label }]) => html`<button key=${word} onClick=${() => setAction(word)}>${label}</button>`,
      )}
    <button onClick=${archive}>Download archives</button>
    ${ids.length === 2 && html`<a class="button" href=${compareAddress(ids[0], ids[1])}>Compare</a>`}
    <button class="quiet" onClick=${onClear}>Choose none</button>
    ${
      action &&
      html`<${Confirm}
        title=${WORKFLOW_ACTIONS[action].ask(subject)}
        word=${`${WORKFLOW_ACTIONS[action].label} ${ids.length}`}
        danger=${WORKFLOW_ACTIONS[action].danger}
        act=${(reason) => runForEach(ids, (id) => runWorkflowAction(action, id, reason))}
        onClose=${() => setAction(null)}
        onDone=${(failures) => {
          if (failures.size) setProblems(failures);
          else onDone();
        }}
      >
        <p>${WORKFLOW_ACTIONS[action].effect}</p>
        <${FirstIds} ids=${ids.slice(0, 20)} total=${ids.length} />
      <//>`
    }
    ${
      problems &&
      html`<${Dialog}
        title=${`${problems.size} of ${ids.length} failed`}
        onClose=${() => {
          setProblems(null);
          onDone();
        }}
      >
        <ul class="ids">
          ${[...problems]
            .slice(0, 50)
            .map(([id, problem]) => html`<li><strong>${shortenId(id)}</strong>: ${problem.message}</li>`)}
        </ul>
        <div class="buttons">
          <button
            onClick=${() => {
              setProblems(null);
              onDone();
            }}
          >
            Close
          </button>
        </div>
      <//>`
    }
  </div>`;
}

/** The first of the workflows that an action concerns, and how many there are besides. */
const FirstIds = ({ ids, total }) => html`<ul class="ids">
  ${ids.map((id) => html`<li key=${id}>${shortenId(id)}</li>`)}
  ${total > ids.length && html`<li>… and ${(total - ids.length).toLocaleString("en")} more</li>`}
</ul>`;

/** The actions on all workflows that match the filter `where`, however many pages they have. */
export function MatchActions({ where, onDone }) {
  const may = useAccess();
  const archives = useArchives();
  const [action, setAction] = useState(null);
  if (!may("operate")) return null;
  const { archive, ...others } = MATCH_ACTIONS;
  const actions = archives.folder || archives.buckets.length ? { ...others, archive } : others;
  return html`<div class="match-actions" role="toolbar" aria-label="For all that match">
    <span class="muted">All that match:</span>
    ${Object.entries(actions)
      .filter(([, { role }]) => may(role))
      .map(
        ([word, { label }]) => html`<button key=${word} onClick=${() => setAction(word)}>
        ${label} all
      </button>`,
      )}
    ${
      action &&
      html`<${MatchDialog}
        action=${action}
        where=${where}
        onClose=${(hasChanged) => {
          setAction(null);
          if (hasChanged) onDone();
        }}
      />`
    }
  </div>`;
}

const formatCount = (count) => `${count.toLocaleString("en")} ${count === 1 ? "workflow" : "workflows"}`;

/**
 * Counts what matches, asks, and shows the progress. *Stop* ends it behind the request that runs; *Go on*
 * takes it up with the same time, so that nothing is done twice.
 */
export function MatchDialog({ action, where, onClose }) {
  const { label, ask, effect, danger, after } = MATCH_ACTIONS[action];
  const [matches, setMatches] = useState(null);
  const [done, setDone] = useState({ changed: 0, unchanged: 0, problems: [] });
  const [reason, setReason] = useState("");
  const archives = useArchives();
  const [uri, setUri] = useState(
    archives.folder || !archives.buckets.length ? "" : folderOf(archives.buckets[0]),
  );
  const [phase, setPhase] = useState("counting");
  const [problem, setProblem] = useState(null);
  const stopping = useRef(false);
  useEffect(() => {
    countMatches(action, where).then(
      (counted) => {
        setMatches(counted);
        setPhase("asking");
      },
      (error) => setProblem(error),
    );
    return () => {
      stopping.current = true;
    };
  }, []);
  async function run() {
    stopping.current = false;
    setProblem(null);
    setPhase("running");
    let ended = false;
    try {
      ended = await runForMatches(action, where, matches.asOf, {
        onProgress: (/** @type {any} */ part) =>
          setDone((previous) => ({
            changed: previous.changed + part.changed,
            unchanged: previous.unchanged + part.unchanged,
            problems: [...previous.problems, ...part.problems].slice(0, 1000),
          })),
        isStopped: () => stopping.current,
        reason: reason.trim(),
        uri: uri.trim(),
      });
    } catch (error) {
      setProblem(error);
    }
    setPhase(ended ? "ended" : "stopped");
  }
  const close = () => onClose(phase !== "counting" && phase !== "asking");
  return html`<${Dialog}
    title=${matches ? ask(formatCount(matches.total)) : ask("all that match")}
    onClose=${close}
  >
    ${phase === "counting" && !problem && html`<p role="status">Counting …</p>`}
    ${
      phase === "asking" &&
      html`<p>${matches.total ? describeStates(matches.states) : "Its state permits this for none."}</p>
        <${FirstIds} ids=${matches.ids} total=${matches.total} />
        <p>${effect}</p>
        ${
          action === "archive" &&
          archives.buckets.length > 0 &&
          html`<${FolderField} archives=${archives} value=${uri} onInput=${setUri} />`
        }
        ${matches.total > 0 && html`<${ReasonField} value=${reason} onInput=${setReason} />`}`
    }
    ${
      phase !== "counting" &&
      phase !== "asking" &&
      html`<p role="status">
          ${phase === "ended" ? "Done" : phase === "stopped" ? "Stopped" : "Working"}:
          ${" "}${done.changed.toLocaleString("en")} of ${formatCount(matches.total)}
          ${done.unchanged > 0 && html`, ${done.unchanged} have changed meanwhile and stay`}
        </p>
        <progress aria-label="Progress" max=${Math.max(1, matches.total)} value=${done.changed} />
        ${phase === "ended" && after && html`<p>${after}</p>`}
        ${
          done.problems.length > 0 &&
          html`<ul class="ids">
            ${done.problems
              .slice(0, 50)
              .map((each) => html`<li><strong>${shortenId(each.workflow)}</strong>: ${each.problem}</li>`)}
          </ul>`
        }`
    }
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    <div class="buttons">
      ${
        phase === "running"
          ? html`<button onClick=${() => (stopping.current = true)}>Stop</button>`
          : html`<button onClick=${close} autofocus>
              ${phase === "counting" || phase === "asking" ? "Cancel" : "Close"}
            </button>`
      }
      ${
        phase === "asking" &&
        matches.total > 0 &&
        html`<button class=${danger ? "danger" : "primary"} onClick=${run}>
          ${label} ${matches.total.toLocaleString("en")}
        </button>`
      }
      ${phase === "stopped" && html`<button class="primary" onClick=${run}>Go on</button>`}
    </div>
  <//>`;
}

/** Asks for a folder of S3. */
const FolderField = ({ archives, value, onInput }) => html`<label>
  Where${" "}
  <input
    value=${value}
    placeholder=${archives.folder ? "the folder of the server" : folderOf(archives.buckets[0])}
    list="archive-folders"
    onInput=${(event) => onInput(event.target.value)}
  />
  <datalist id="archive-folders">
    ${archives.buckets.map((bucket) => html`<option key=${bucket} value=${folderOf(bucket)} />`)}
  </datalist>
  <span class="muted">
    A folder of S3, s3://BUCKET/FOLDER/.${archives.folder && " Empty: archive.folder of the server."}
  </span>
</label>`;

const describeStates = (states) =>
  Object.entries(states)
    .map(([state, count]) => `${count.toLocaleString("en")} ${WORKFLOW_STATES[state].label.toLowerCase()}`)
    .join(", ");
