// Small indicators: states, step counts, times.

import { html } from "../vendor/preact.js";
import { STEP_STATES, WORKFLOW_STATES } from "../format/state-labels.js";
import { formatAgo, formatClock, formatElapsed, formatExact } from "../format/times.js";

/** The icon of a state: `icon` is the path of `WORKFLOW_STATES` or `STEP_STATES`. */
export const StateIcon = ({ icon }) => html`<svg class="shape" viewBox="0 0 16 16" aria-hidden="true">
  <path d=${icon} />
</svg>`;

/** The icon and name of a workflow's state or, with `step`, of a step's. */
export function StateLabel({ state, step = false }) {
  const style = (step ? STEP_STATES : WORKFLOW_STATES)[state];
  if (!style) return html`<span class="state">${state}</span>`;
  const { tone, icon, label } = style;
  return html`<span class="state tone-${tone}"><${StateIcon} icon=${icon} />${label}</span>`;
}

/** The mark of a step that `lfr simulate` has ended. */
export const SimulatedMark = () =>
  html`<span class="muted" title="No worker has done this task: lfr simulate has ended it.">simulated</span>`;

/** A bar and numbers for `counts`, as in a workflow's summary: total may be null. Skipped counts as ended. */
export function StepProgress({ counts }) {
  if (!counts) return "–";
  const { total, running, done, skipped, failed } = counts;
  const ended = done + skipped;
  const fraction = total ? `${Math.min(ended, total)}/${total}` : `${ended}`;
  /** @type {[string, number][]} */
  const parts = [
    ["done", ended],
    ["failed", failed],
    ["running", running],
  ];
  const title = `${done} done, ${skipped} skipped, ${running} running, ${failed} failed`;
  return html`<span class="progress" title=${title}>
    ${
      total > 0 &&
      html`<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="rest" width="100" height="6" />
        ${stackParts(parts, total).map(
          ([tone, x, width]) => html`<rect class=${`fill-${tone}`} x=${x} width=${width} height="6" />`,
        )}
      </svg>`
    }
    <span class="number">${fraction}</span>
    ${failed > 0 && html`<span class="tone-failed failed-count">${failed} failed</span>`}
  </span>`;
}

/** Return start and width of each part, of 100. In loops, the parts exceed the total. */
function stackParts(parts, total) {
  const counted = parts.reduce((sum, [, count]) => sum + count, 0);
  const whole = Math.max(total, counted);
  let x = 0;
  return parts
    .filter(([, count]) => count > 0)
    .map(([tone, count]) => {
      const width = (100 * count) / whole;
      x += width;
      return [tone, x - width, width];
    });
}

/** The time since something happened, or a dash if `at` is null; its tooltip has the exact time. */
export const Ago = ({ at, now }) =>
  at ? html`<time datetime=${at} title=${formatExact(at)}>${formatAgo(at, now)}</time>` : "–";

/** The time of day of something, or a dash if `at` is null; its tooltip has the exact time. */
export const Clock = ({ at, now }) =>
  at ? html`<time datetime=${at} title=${formatExact(at)}>${formatClock(at, now)}</time>` : "–";

/** The duration of something, up to now if it has not ended. */
export const Duration = ({ start, end, now }) => html`<span class="number">
  ${formatElapsed(start, end, now) || "–"}
</span>`;
