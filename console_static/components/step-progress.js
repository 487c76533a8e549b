// How far a workflow is: steps that are done, of all.

import { html } from "../vendor/preact.js";

/** A bar and its figures. `counts`: total, running, done, skipped, failed; total may be unknown. */
export function Progress({ counts }) {
  if (!counts) return "–";
  const { total, running, done, skipped, failed } = counts;
  const ended = done + skipped;
  const told = total ? `${Math.min(ended, total)}/${total}` : `${ended}`;
  const parts = [["done", ended], ["failed", failed], ["running", running]];
  const title = `${done} done, ${skipped} skipped, ${running} running, ${failed} failed`;
  return html`<span class="progress" title=${title}>
    ${total > 0 && html`<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="rest" width="100" height="6" />
      ${stacked(parts, total).map(([tone, x, width]) => html`<rect class=${`fill-${tone}`} x=${x} width=${width} height="6" />`)}
    </svg>`}
    <span class="number">${told}</span>
    ${failed > 0 && html`<span class="tone-failed failed-count">${failed} failed</span>`}
  </span>`;
}

/** Where each part of the bar begins and how wide it is, of 100. In a loop more ends than there are steps. */
function stacked(parts, total) {
  const all = Math.max(total, parts.reduce((sum, [, count]) => sum + count, 0));
  let x = 0;
  return parts.filter(([, count]) => count > 0).map(([tone, count]) => {
    const width = (100 * count) / all;
    x += width;
    return [tone, x - width, width];
  });
}
