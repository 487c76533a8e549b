// The page that says why workflows have failed: in groups of one cause, each with what can be done about it.

import { html, useState } from "../vendor/preact.js";
import { runWorkflowAction, WORKFLOW_ACTIONS } from "../client/actions.js";
import { Confirm, ProblemMessage } from "../components/dialog.js";
import { showNotice } from "../components/notices.js";
import { useNow, usePolled } from "../hooks/live.js";
import { useRoute } from "../hooks/navigation.js";
import { useAccess } from "../state/access.js";
import { buildAddress, shortenId } from "../state/address.js";
import { useArchives } from "../state/archives.js";
import { formatWhere } from "../state/list-filter.js";
import { MatchDialog } from "../views/bulk-actions.js";
import { FailureGroup } from "../views/failure-group.js";

const POLL_MS = 5000;

const PERIODS = [
  { since: "1h", label: "Last hour", words: "in the last hour" },
  { since: "1d", label: "24 hours", words: "in the last 24 hours" },
  { since: "7d", label: "7 days", words: "in the last 7 days" },
  { since: "all", label: "All", words: "so far" },
];
const DEFAULT_PERIOD = "1d";

const formatCount = (count) => count.toLocaleString("en");

export function FailuresPage() {
  const { params } = useRoute();
  const since = params.since ?? DEFAULT_PERIOD;
  const flow = params.name;
  const path = `/failures${buildAddress("", { since, flow })}`;
  const { data: failures, problem, load } = usePolled(path, POLL_MS);
  const [question, setQuestion] = useState(null);
  const [retried, setRetried] = useState(null);
  const may = useAccess();
  const archives = useArchives();
  const now = useNow(true);
  const words = PERIODS.find((each) => each.since === since)?.words ?? `since ${since}`;
  const linkTo = (changes) => buildAddress("failures", { name: flow, since: params.since, ...changes });
  const period = failures && since !== "all" ? failures.since : undefined;
  return html`<section class="page failures">
    <div class="heading">
      <h1>Failures</h1>
      ${
        failures &&
        (failures.groups.length > 1 || failures.left_out > 0) &&
        may("operate") &&
        html`<button
          onClick=${() =>
            setQuestion({
              action: "restart",
              where: formatWhere({ state: "FAILED", name: flow, ended: period }),
            })}
        >
          Restart all ${formatCount(failures.failed)}
        </button>`
      }
    </div>
    <nav class="tabs" aria-label="Period">
      ${PERIODS.map(
        (each) => html`<a
          key=${each.since}
          href=${linkTo({ since: each.since === DEFAULT_PERIOD ? "" : each.since })}
          aria-current=${each.since === since ? "true" : null}
        >
          ${each.label}
        </a>`,
      )}
    </nav>
    ${
      flow &&
      html`<p class="chips">
        <a class="chip" href=${linkTo({ name: "" })}>
          of the flow ${flow} <span aria-label="remove">×</span>
        </a>
      </p>`
    }
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!failures && !problem && html`<p class="loading">Loading …</p>`}
    ${failures && html`<${Summary} failures=${failures} words=${words} all=${linkTo({ since: "all" })} />`}
    ${failures?.groups.map(
      (group) => html`<${FailureGroup}
        key=${group.failure}
        group=${group}
        partSeconds=${failures.part_seconds}
        now=${now}
        listAddress=${buildAddress("./", {
          state: "FAILED",
          name: group.flow,
          failure: group.failure,
          ended: period,
        })}
        canArchive=${archives.folder || archives.buckets.length > 0}
        onAct=${(action) => setQuestion({ action, where: group.where })}
        onRetry=${() => setRetried(group.latest)}
      />`,
    )}
    ${
      question &&
      html`<${MatchDialog}
        ...${question}
        onClose=${() => {
          setQuestion(null);
          load();
        }}
      />`
    }
    ${
      retried &&
      html`<${Confirm}
        title=${`Retry ${shortenId(retried)}?`}
        word="Retry"
        act=${(reason) => runWorkflowAction("restart", retried, reason)}
        onDone=${() => {
          showNotice(`${shortenId(retried)} ${WORKFLOW_ACTIONS.restart.done}`);
          load();
        }}
        onClose=${() => setRetried(null)}
      >
        <p>
          It is the latest of its group: if it fails again, it comes back here; if not, restart the others.
        </p>
        <p>${WORKFLOW_ACTIONS.restart.effect}</p>
      <//>`
    }
  </section>`;
}

/** How many have failed, and what the groups below leave out. */
function Summary({ failures, words, all }) {
  const { failed, groups, earlier, left_out: leftOut } = failures;
  const causes = groups.length === 1 ? "1 cause" : `${groups.length} causes`;
  if (!failed) {
    return html`<div class="empty">
      <h2>Nothing has failed ${words}</h2>
      ${earlier > 0 && html`<p>${formatCount(earlier)} failed before that. <a href=${all}>Show all</a></p>`}
    </div>`;
  }
  return html`<p role="status">
    ${formatCount(failed)} ${failed === 1 ? "workflow" : "workflows"} failed ${words}, for ${causes}.
    ${leftOut > 0 && html` ${formatCount(leftOut)} of them failed for others, which are not shown.`}
    ${earlier > 0 && html` ${formatCount(earlier)} failed before that. <a href=${all}>Show all</a>`}
    ${
      !failures.is_complete &&
      html` Only the ${formatCount(failures.examined)} that started last were looked at.`
    }
  </p>`;
}
