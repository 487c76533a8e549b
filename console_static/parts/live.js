// News on a page: followed while the page is shown and nobody has paused them.

import { createContext, html, useContext, useEffect, useRef } from "../vendor/preact.js";
import { follow } from "../live.js";
import { clock } from "../model/times.js";

const Live = createContext(null);
export const LiveProvider = Live.Provider;

/**
 * Follow the news at a path of the API; null: none. `onNews(name, data)`; `onJoin()` is called each time that
 * the stream begins anew after it was off, since something may have been missed.
 */
export function useLive(path, onNews, onJoin) {
  const { paused, report } = useContext(Live);
  const handlers = useRef();
  handlers.current = { onNews, onJoin };
  useEffect(() => {
    if (!path || paused) return undefined;
    let wasOff = false;
    const stop = follow(path, {
      news: (name, data) => handlers.current.onNews(name, data),
      state: (state) => {
        report(state);
        if (state === "on" && wasOff) handlers.current.onJoin?.();
        wasOff = state !== "on";
      },
    });
    return () => {
      stop();
      report("none");
    };
  }, [path, paused]);
}

/** How the news are: on, paused, off since when. A click pauses and goes on. */
export function LiveMark({ paused, state, since, onToggle }) {
  const word = paused ? "Paused" : { on: "Live", off: `No news since ${clock(since)}`, refused: "No news" }[state] ?? "Live";
  const tone = paused ? "pending" : { on: "done", off: "failed", refused: "failed" }[state] ?? "pending";
  return html`<button class=${`live tone-${tone}`} aria-pressed=${paused} onClick=${onToggle}
    title=${paused ? "News are held back. Click to go on (p)" : "News come by themselves. Click to pause (p)"}>
    <span class="dot" />${word}</button>`;
}
