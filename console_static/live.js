// News by server-sent events, read by fetch: EventSource could send no token. (WHATWG HTML, section 9.2)

import { Problem, ask } from "./api.js";
import { EventReader } from "./model/event_stream.js";

const LONGEST_WAIT = 15_000;

/**
 * Follow a stream until the returned function is called. Broken off, it is asked for again from the last id,
 * later each time; while the page is hidden, it rests.
 *
 * @param {string} path of the API
 * @param {{news: (name: string, data: any) => void, state: (state: string, problem?: Problem) => void}} listener
 *   `state`: `on`, `off` (it is tried again), `refused` (it is not)
 */
export function follow(path, listener) {
  let stopped = false;
  let last = "";
  let wait = 500;
  let timer;
  let abort = null;

  async function run() {
    if (stopped || document.hidden || abort) return;
    const current = (abort = new AbortController());
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const response = await ask("GET", path, { headers, signal: current.signal });
      listener.state("on");
      wait = 500;
      const reader = new EventReader();
      const decoder = new TextDecoder();
      for (let stream = response.body.getReader(), part; !(part = await stream.read()).done; ) {
        for (const event of reader.read(decoder.decode(part.value, { stream: true }))) {
          last = event.id || last;
          if (stopped) return;
          listener.news(event.name, event.data);
          if (event.name === "end") return stop();
        }
      }
    } catch (error) {
      if (stopped || current.signal.aborted) return;
      const refused = error instanceof Problem && [400, 401, 403, 404].includes(error.status);
      listener.state(refused ? "refused" : "off", error);
      if (refused) return stop();
    } finally {
      if (abort === current) abort = null;
    }
    if (stopped || current.signal.aborted) return;
    listener.state("off");
    timer = setTimeout(run, wait);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }

  function rest() {
    clearTimeout(timer);
    if (document.hidden) {
      abort?.abort();
      abort = null;
    } else {
      run();
    }
  }

  function stop() {
    stopped = true;
    clearTimeout(timer);
    abort?.abort();
    document.removeEventListener("visibilitychange", rest);
  }

  document.addEventListener("visibilitychange", rest);
  run();
  return stop;
}
