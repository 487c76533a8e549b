// What a step's task has printed and logged, attempt by attempt, and which process has run each.

import { html, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { apiPath, getJson } from "../client/api.js";
import { ProblemMessage } from "../components/dialog.js";
import { CopyButton } from "../components/transfer.js";
import { escapeControls } from "../format/text.js";
import { formatClock, formatDuration, formatExact } from "../format/times.js";
import { usePolling } from "../hooks/live.js";

const RUNNING_MS = 1000;
const RESTING_MS = 15_000; // lines may come late, and a worker in another language may send them at any time

const MAX_LINES = 5000; // of the latest lines, so that the page stays small however long it is open

const TONES = {
  stderr: "tone-terminating",
  warning: "tone-terminating",
  error: "tone-failed",
  critical: "tone-failed",
  traceback: "tone-failed",
  lfr: "tone-running",
};

/** The lines of all attempts of a step. Its `key` must change with the step. */
export function StepLog({ workflow, step }) {
  const log = useRef({ cursor: 0, lines: [], attempts: {} });
  const [state, setState] = useState(log.current);
  const [problem, setProblem] = useState(null);
  usePolling(
    `${workflow.id} ${step.index} ${step.state} ${step.attempt}`,
    {
      request: async () => {
        for (let hasMore = true; hasMore; ) {
          const { cursor } = log.current;
          const page = await getJson(apiPath(workflow.id, `/logs?step=${step.index}&after=${cursor}`));
          if (cursor !== log.current.cursor) return; // an earlier request has had the answer, too
          if (page.cursor !== cursor) log.current = addPage(log.current, page);
          hasMore = page.has_more;
        }
      },
      onResponse: () => (setState(log.current), setProblem(null)),
      onProblem: setProblem,
    },
    step.state === "RUNNING" ? RUNNING_MS : RESTING_MS,
    false,
  );
  if (problem) return html`<${ProblemMessage} problem=${problem} />`;
  const attempts = Object.values(state.attempts).sort((a, b) => b.attempt - a.attempt);
  if (!attempts.length) return null;
  return html`<section class="logs">
    <h3>Log</h3>
    ${attempts.map(
      (attempt, position) => html`<${AttemptLog}
        key=${attempt.attempt}
        attempt=${attempt}
        lines=${state.lines}
        isLatest=${position === 0}
        isRunning=${position === 0 && step.state === "RUNNING"}
      />`,
    )}
  </section>`;
}

/** Return what is known after another page: the latest lines, and all attempts by number. */
function addPage({ lines, attempts }, page) {
  return {
    cursor: page.cursor,
    lines: [...lines, ...page.lines].slice(-MAX_LINES),
    attempts: { ...attempts, ...Object.fromEntries(page.attempts.map((each) => [each.attempt, each])) },
  };
}

function AttemptLog({ attempt, lines, isLatest, isRunning }) {
  const [isOpen, setIsOpen] = useState(isLatest);
  const own = useMemo(() => lines.filter((line) => line.attempt === attempt.attempt), [lines, attempt]);
  const text = useMemo(() => own.map(formatLine).join("\n"), [own]);
  return html`<details open=${isOpen} onToggle=${(event) => setIsOpen(event.currentTarget.open)}>
    <summary>Attempt ${attempt.attempt} <span class="muted">${describeEvidence(attempt)}</span></summary>
    ${
      isOpen &&
      own.length > 0 &&
      html`<${LogLines} attempt=${attempt.attempt} lines=${own} isRunning=${isRunning} />
        <div class="buttons"><${CopyButton} text=${text} label="Copy log" /></div>`
    }
  </details>`;
}

/** The lines of an attempt. Who looks at the end sees new ones come; who has scrolled up stays there. */
function LogLines({ attempt, lines, isRunning }) {
  const box = useRef(null);
  const isAtEnd = useRef(isRunning);
  useLayoutEffect(() => {
    if (isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  const noteScroll = ({ currentTarget }) => {
    const { scrollTop, scrollHeight, clientHeight } = currentTarget;
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < 20;
  };
  return html`<pre
    ref=${box}
    class="log-lines"
    tabindex="0"
    role="region"
    aria-label=${`Log of attempt ${attempt}`}
    onScroll=${noteScroll}
  >
${lines.map((line) => html`<${Line} key=${line.number} line=${line} />`)}</pre>`;
}

function Line({ line }) {
  if (line.omitted) return html`<span class="log-line muted">${formatLine(line)}</span>`;
  const title = `${formatExact(line.at)}, ${line.source}`;
  return html`<span class=${`log-line ${TONES[line.source] ?? ""}`} title=${title}>
    <span class="log-time">${formatClock(line.at)}</span>${" "}${escapeControls(line.text)}
  </span>`;
}

/** Return a line as text: its time, source and content. */
export const formatLine = (line) =>
  line.omitted
    ? `… ${line.omitted.toLocaleString("en")} ${line.omitted === 1 ? "line is" : "lines are"} left out`
    : `${line.at} ${line.source} ${escapeControls(line.text)}`;

/** Return who has run an attempt, and what that took, as far as it is known. */
function describeEvidence(attempt) {
  const { host, process, delivery, started, ended, cpu_seconds: cpu, peak_bytes: peak } = attempt;
  const where = [process === null ? "" : `process ${process}`, host ?? ""].filter(Boolean).join(" on ");
  return [
    escapeControls(where),
    delivery > 1 ? `delivery ${delivery}` : "",
    started && ended ? `took ${formatDuration(Date.parse(ended) - Date.parse(started))}` : "",
    cpu === null ? "" : `CPU ${formatDuration(1000 * cpu)}`,
    peak === null ? "" : `memory up to ${(peak / 2 ** 20).toFixed(1)} MiB`,
  ]
    .filter(Boolean)
    .join(", ");
}
