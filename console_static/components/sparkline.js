// A small chart of counts over time.

import { html } from "../vendor/preact.js";

const HEIGHT = 24;
const LEAST = 2; // so that one failure beside hundreds is seen

/** A bar for each of the `counts`, the highest for the greatest. `label` is for people who hear the page. */
export function Sparkline({ counts, label }) {
  const most = Math.max(1, ...counts);
  const height = (/** @type {number} */ count) => Math.max(LEAST, (HEIGHT * count) / most);
  return html`<svg
    class="sparkline"
    viewBox=${`0 0 ${4 * counts.length} ${HEIGHT + 1}`}
    preserveAspectRatio="none"
    role="img"
    aria-label=${label}
  >
    <rect class="rest" y=${HEIGHT} width=${4 * counts.length} height="1" />
    ${counts.map(
      (count, part) =>
        count > 0 &&
        html`<rect
          key=${part}
          class="fill-failed"
          x=${4 * part}
          y=${HEIGHT - height(count)}
          width="3"
          height=${height(count)}
        />`,
    )}
  </svg>`;
}
