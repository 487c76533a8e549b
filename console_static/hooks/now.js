// The time, as a page shows it: it goes on by itself while something on the page counts up.

import { html, useEffect, useState } from "../vendor/preact.js";
import { ago, between, clock, exact } from "../format/times.js";

/** The time in milliseconds, taken anew this often while `ticks`. */
export function useNow(ticks = true, every = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!ticks) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => document.hidden || setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [ticks, every]);
  return now;
}

/** How long ago something was; when exactly, for the pointer that rests on it. */
export const Ago = ({ at, now }) => (at ? html`<time datetime=${at} title=${exact(at)}>${ago(at, now)}</time>` : "–");

/** The time of day of something. */
export const Clock = ({ at, now }) => (at ? html`<time datetime=${at} title=${exact(at)}>${clock(at, now)}</time>` : "–");

/** How long something took, or takes until now. */
export const Duration = ({ start, end, now }) => html`<span class="number">${between(start, end, now) || "–"}</span>`;
