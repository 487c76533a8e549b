// News on a page: followed, or asked for now and then, while the page is shown and nobody has paused them.

import { createContext, html, useContext, useEffect, useRef } from "../vendor/preact.js";
import { follow } from "../client/stream.js";
import { clock } from "../format/times.js";

const Live = createContext(null);
export const LiveProvider = Live.Provider;

/**
 * Follow the news at a path of the API; null: none.
 *
 * @param {string|null} path
 * @param {object} handlers
 * @param {(name: string, data: any) => void} handlers.news
 * @param {() => void} [handlers.join] the stream begins anew: what happened meanwhile may not be told
 * @param {(problem: Problem) => void} [handlers.refused] it will not be told any more
 * @param {() => string} [handlers.after] the id behind which the stream is to go on
 */
export function useLive(path, handlers) {
  const { paused, report } = useContext(Live);
  const current = useRef();
  current.current = handlers;
  const joined = useRef(null); // the path that has been on before
  useEffect(() => {
    if (!path || paused) return undefined;
    let isOn = false;
    const stop = follow(path, {
      news: (name, data) => current.current.news(name, data),
      after: () => current.current.after?.() ?? "",
      state: (state, problem) => {
        report(state);
        if (state === "on" && !isOn && joined.current === path) current.current.join?.();
        if (state === "on") joined.current = path;
        if (state === "refused") current.current.refused?.(problem);
        isOn = state === "on";
      },
    });
    return () => {
      stop();
      report("none");
    };
  }, [path, paused]);
}

/**
 * Ask at once, and again so many milliseconds after each answer; slower if answers are slow. What is told belongs
 * to the newest question: an answer to an older one counts no more.
 *
 * @param {string|null} key of the question; another one is asked at once; null: none
 * @param {{ask: () => Promise<any>, told?: (answer: any) => void, failed?: (problem: Problem) => void}} handlers
 * @param {number} every milliseconds
 * @returns {() => void} asks now
 */
export function usePolled(key, handlers, every) {
  const { paused, report } = useContext(Live);
  const current = useRef();
  current.current = handlers;
  const now = useRef(() => {});
  const asked = useRef(null); // the key that has been asked for
  useEffect(() => {
    if (key === null) return undefined;
    let number = 0;
    let timer;
    let isOver = false;
    const run = async () => {
      clearTimeout(timer);
      if (isOver) return;
      const mine = (number += 1);
      const began = performance.now();
      const { ask, told, failed } = current.current;
      const [state, tell, answer] = await ask().then((answer) => ["on", told, answer], (problem) => ["off", failed, problem]);
      if (isOver || mine !== number) return;
      report(state);
      tell?.(answer);
      if (!paused) timer = setTimeout(again, Math.max(every, 5 * (performance.now() - began)));
    };
    const again = () => document.hidden || run();
    now.current = run;
    if (!paused || asked.current !== key) run();
    asked.current = key;
    if (!paused) document.addEventListener("visibilitychange", again);
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", again);
      report("none");
    };
  }, [key, paused, every]);
  return () => now.current();
}

/** How the news are: on, paused, off since when. A click pauses and goes on. */
export function LiveMark({ paused, state, since, onToggle }) {
  const word = paused ? "Paused" : { on: "Live", off: `No news since ${clock(since)}`, refused: "No news" }[state] ?? "Live";
  const tone = paused ? "pending" : { on: "done", off: "failed", refused: "failed" }[state] ?? "pending";
  return html`<button class=${`live tone-${tone}`} aria-pressed=${paused} onClick=${onToggle}
    title=${paused ? "News are held back. Click to go on (p)" : "News come by themselves. Click to pause (p)"}>
    <span class="dot" />${word}</button>`;
}
