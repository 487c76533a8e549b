// The page of notices: who is told of what, who takes none, what was given up; each rule can be tested.

import { html, useState } from "../vendor/preact.js";
import { sendJson } from "../client/api.js";
import { Dialog, ProblemMessage } from "../components/dialog.js";
import { Ago, Clock } from "../components/indicators.js";
import { formatDuration } from "../format/times.js";
import { useNow, usePolled } from "../hooks/live.js";
import { useAccess } from "../state/access.js";

const POLL_MS = 5000;

export function NoticesPage() {
  const { data: notices, problem } = usePolled("/notices", POLL_MS);
  const [tested, setTested] = useState("");
  const now = useNow(true);
  return html`<section class="page notices-page">
    <h1>Notices</h1>
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    ${!notices && !problem && html`<p class="loading">Loading …</p>`}
    ${notices && (notices.rules.length || notices.lost.length) && !notices.is_alive ? NOBODY_SENDS : null}
    ${
      notices &&
      (notices.rules.length
        ? html`<${Rules} rules=${notices.rules} isAlive=${notices.is_alive} onTest=${setTested} />`
        : html`<${NoRules} />`)
    }
    ${
      notices?.recipients.length > 0 &&
      html`<h2>Recipients</h2>
        <${Recipients} recipients=${notices.recipients} now=${now} />`
    }
    ${
      notices?.lost.length > 0 &&
      html`<h2 class="tone-failed">Given up</h2>
        <p class="muted">
          These could not be delivered for as long as notify.give_up says. The latest 100 are here.
        </p>
        <${Lost} lost=${notices.lost} now=${now} />`
    }
    ${tested && html`<${TestDialog} rule=${tested} onClose=${() => setTested("")} />`}
  </section>`;
}

const NOBODY_SENDS = html`<p class="alarm tone-terminating">
  No process of the role notify is alive, so nothing is sent. Start one: <code>lfr notify</code> or${" "}
  <code>lfr install --enable notify --now</code>.
</p>`;

const NoRules = () => html`<div class="empty">
  <h2>Nobody is told of failures</h2>
  <p>A rule in the configuration sends a webhook, a mail or a command when a workflow fails or stands:</p>
  <pre>${`notify:
  rules:
    failures:
      when: failed
      to: webhook:chat
  webhooks:
    chat: https://chat.example/hooks/operations`}</pre>
  <p>Then run <code>lfr notify</code>.</p>
</div>`;

function Rules({ rules, isAlive, onTest }) {
  const may = useAccess();
  return html`<h2>Rules</h2>
    <table class="list notice-rules">
      <thead>
        <tr>
          <th>Rule</th>
          <th>When</th>
          <th>Only</th>
          <th>To</th>
          <th>Quiet for</th>
          <th class="right">Sent</th>
          <th class="right">Only counted</th>
          <th class="right">Failed</th>
          <th><span class="hidden">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${rules.map(
          (rule) => html`<tr key=${rule.name}>
            <td class="name"><strong>${rule.name}</strong></td>
            <td data-label="When">${describeTriggers(rule)}</td>
            <td data-label="Only">${describeScope(rule)}</td>
            <td data-label="To">${rule.to.join(", ")}</td>
            <td data-label="Quiet for">${rule.quiet ? formatDuration(1000 * rule.quiet) : "never"}</td>
            <td data-label="Sent" class="right number">${formatCount(rule.counts.sent)}</td>
            <td data-label="Only counted" class="right number">${formatCount(rule.counts.counted)}</td>
            <td data-label="Failed" class="right number tone-failed">
              ${formatCount(rule.counts.given_up + rule.counts.dropped)}
            </td>
            <td class="right">
              ${
                may("operate") &&
                html`<button disabled=${!isAlive} onClick=${() => onTest(rule.name)}>Test</button>`
              }
            </td>
          </tr>`,
        )}
      </tbody>
    </table>`;
}

const formatCount = (count) => (count ? count.toLocaleString("en") : "");

function describeTriggers({ when, after }) {
  const limit = after ? ` (after ${formatDuration(1000 * after)})` : "";
  return when.join(", ") + limit;
}

function describeScope({ flow, labels, role }) {
  const parts = [
    flow.length && `the flow ${flow.join(", ")}`,
    role.length && `the role ${role.join(", ")}`,
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  ];
  return parts.filter(Boolean).join("; ");
}

const Recipients = ({ recipients, now }) => html`<table class="list">
  <thead>
    <tr>
      <th>Recipient</th>
      <th>Last delivery</th>
      <th class="right">Waiting</th>
      <th>Failing</th>
    </tr>
  </thead>
  <tbody>
    ${recipients.map(
      (each) => html`<tr key=${each.name}>
        <td class="name"><strong>${each.name}</strong></td>
        <td data-label="Last delivery">
          ${each.sent ? html`<${Ago} at=${each.sent} now=${now} />` : "none yet"}
        </td>
        <td data-label="Waiting" class="right number">${formatCount(each.queued)}</td>
        <td data-label="Failing" class="reason">
          ${
            each.failures > 0 &&
            html`<span class="tone-failed">${each.reason}</span>${" "}
              <span class="muted">
                ${each.failures === 1 ? "once" : `${formatCount(each.failures)} times`}, since${" "}
                <${Clock} at=${each.since} now=${now} />; next try <${Clock} at=${each.retry} now=${now} />
              </span>`
          }
        </td>
      </tr>`,
    )}
  </tbody>
</table>`;

const Lost = ({ lost, now }) => html`<table class="list">
  <thead>
    <tr>
      <th>Given up</th>
      <th>Rule</th>
      <th>Recipient</th>
      <th>Notice</th>
      <th>Reason</th>
    </tr>
  </thead>
  <tbody>
    ${lost.map(
      (each) => html`<tr key=${each.id + each.recipient}>
        <td><${Ago} at=${each.at} now=${now} /></td>
        <td data-label="Rule">${each.rule}</td>
        <td data-label="Recipient">${each.recipient}</td>
        <td data-label="Notice" class="name">${each.text}</td>
        <td data-label="Reason" class="reason">${each.reason}</td>
      </tr>`,
    )}
  </tbody>
</table>`;

/** Asks whether to test a rule, sends the test, and shows what each recipient has answered. */
function TestDialog({ rule, onClose }) {
  const [isSending, setIsSending] = useState(false);
  const [results, setResults] = useState(null);
  const [problem, setProblem] = useState(null);
  const send = () => {
    setIsSending(true);
    setProblem(null);
    sendJson("POST", "/notices/test", { rule })
      .then(setResults, setProblem)
      .finally(() => setIsSending(false));
  };
  return html`<${Dialog} title=${`Test the rule ${rule}?`} onClose=${onClose}>
    ${
      !results &&
      html`<p>
        Its recipients get a notice that is marked as a test, on the way of all notices: from the role notify.
      </p>`
    }
    ${isSending && html`<p role="status">Waiting for what they answer, up to 40 s …</p>`}
    ${
      results &&
      html`<ul class="ids" role="status">
        ${results.map(
          (each) => html`<li key=${each.recipient}>
            <strong>${each.recipient}</strong>${" "}
            ${
              each.problem
                ? html`<span class="tone-failed">has not taken it: ${each.problem}</span>`
                : html`<span class="tone-done">has taken it</span>`
            }
          </li>`,
        )}
      </ul>`
    }
    ${problem && html`<${ProblemMessage} problem=${problem} />`}
    <div class="buttons">
      <button onClick=${onClose}>${results ? "Close" : "Cancel"}</button>
      ${
        !results &&
        html`<button class="primary" autofocus disabled=${isSending} onClick=${send}>Send the test</button>`
      }
    </div>
  <//>`;
}
