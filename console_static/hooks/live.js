// Keeps a page current: live streams, polling, the clock. All rest while the page is hidden or paused.

import { createContext, useContext, useEffect, useRef, useState } from "../vendor/preact.js";
import { getJson } from "../client/api.js";
import { followStream } from "../client/stream.js";

/** @typedef {import("../client/api.js").Problem} Problem */

const Live = createContext({ paused: false, report: (_state) => {} });
/** Gives its page `paused`, and `report`, which the page's hooks call with the state of their updates. */
export const LiveProvider = Live.Provider;

/**
 * Follow a live stream of the API.
 *
 * @param {string|null} path null: none
 * @param {object} handlers
 * @param {(name: string, data: any) => void} handlers.onEvent
 * @param {() => void} [handlers.onReconnect] changes may be missing: the stream began anew, or there is none
 * @param {(problem: Problem) => void} [handlers.onRefused] the stream ends for good
 * @param {() => string} [handlers.lastEventId] the id to resume after
 */
export function useStream(path, handlers) {
  const { paused, report } = useContext(Live);
  const latest = useRef(handlers);
  latest.current = handlers;
  const connectedPath = useRef(null);
  useEffect(() => {
    if (!path || paused) return undefined;
    let isOn = false;
    const stop = followStream(path, {
      onEvent: (name, data) => latest.current.onEvent(name, data),
      lastEventId: () => latest.current.lastEventId?.() ?? "",
      onState: (state, problem) => {
        report(state);
        const mayMiss = state === "waiting" || (state === "on" && !isOn && connectedPath.current === path);
        if (mayMiss) latest.current.onReconnect?.();
        if (state === "on") connectedPath.current = path;
        if (state === "refused") latest.current.onRefused?.(/** @type {Problem} */ (problem));
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
 * Send a request at once and again at an interval after each response; less often if responses are slow. Only
 * the response to the latest request counts.
 *
 * @param {string|null} key identifies the request; another key sends it at once; null: none
 * @param {object} handlers
 * @param {() => Promise<any>} handlers.request
 * @param {(response: any) => void} [handlers.onResponse]
 * @param {(problem: Problem) => void} [handlers.onProblem]
 * @param {number} intervalMs
 * @param {boolean} reports whether the page is as current as this request; false: something else says that
 * @returns {() => void} sends the request now
 */
export function usePolling(key, handlers, intervalMs, reports = true) {
  const { paused, report: reportToPage } = useContext(Live);
  const report = (state) => reports && reportToPage(state);
  const latest = useRef(handlers);
  latest.current = handlers;
  const runNow = useRef(() => {});
  const lastKey = useRef(null);
  useEffect(() => {
    if (key === null) return undefined;
    let latestNumber = 0;
    let timer;
    let isUnmounted = false;
    const run = async () => {
      clearTimeout(timer);
      if (isUnmounted) return;
      const number = (latestNumber += 1);
      const began = performance.now();
      const { request, onResponse, onProblem } = latest.current;
      const [state, handle, result] = await request().then(
        (response) => ["on", onResponse, response],
        (problem) => ["off", onProblem, problem],
      );
      if (isUnmounted || number !== latestNumber) return;
      report(state);
      handle?.(result);
      if (!paused) timer = setTimeout(runIfVisible, Math.max(intervalMs, 5 * (performance.now() - began)));
    };
    const runIfVisible = () => document.hidden || run();
    runNow.current = run;
    if (!paused || lastKey.current !== key) run();
    lastKey.current = key;
    if (!paused) document.addEventListener("visibilitychange", runIfVisible);
    return () => {
      isUnmounted = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", runIfVisible);
      report("none");
    };
  }, [key, paused, intervalMs]);
  return () => runNow.current();
}

/** Return what a path of the API has, asked for at an interval; `problem` of the last request; `load`. */
export function usePolled(path, intervalMs) {
  const [data, setData] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = usePolling(
    path,
    {
      request: () => getJson(path),
      onResponse: (response) => {
        setData(response);
        setProblem(null);
      },
      onProblem: setProblem,
    },
    intervalMs,
  );
  return { data, problem, load };
}

/** Return the time in milliseconds, updated at an interval while `isTicking`. */
export function useNow(isTicking = true, intervalMs = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!isTicking) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => document.hidden || setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [isTicking, intervalMs]);
  return now;
}
