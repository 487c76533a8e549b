// News by server-sent events, read by fetch: EventSource could send no token. (WHATWG HTML, section 9.2)

import { Problem, ask } from "./api.js";
import { EventReader } from "./event-parser.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 5000;
const SILENT_AFTER = 40_000; // milliseconds; the server gives a sign of life every 15 s
const FINAL = [400, 401, 403, 404]; // asking again would be answered alike

/**
 * Follow a stream until the returned function is called. Broken off or silent, it is asked for again from where it
 * was, later each time; while the page is hidden, it rests.
 *
 * @param {string} path of the API
 * @param {object} listener
 * @param {(name: string, data: any) => void} listener.news
 * @param {(state: "on"|"off"|"refused", problem?: Problem) => void} listener.state `off`: it is tried again
 * @param {() => string} [listener.after] the id behind which to go on; if it is left out, the last one that came
 */
export function follow(path, listener) {
  let stopped = false;
  let last = "";
  let wait = FIRST_WAIT;
  let timer;
  let abort = null; // of the stream that is read now; another one here means that it is not wanted any more

  async function run() {
    if (stopped || document.hidden || abort) return;
    const current = (abort = new AbortController());
    let problem;
    try {
      await read(current);
    } catch (error) {
      problem = error;
    }
    if (abort !== current) return;
    abort = null;
    const refused = problem instanceof Problem && FINAL.includes(problem.status);
    if (refused) stop();
    if (problem) listener.state(refused ? "refused" : "off", problem);
    if (stopped) return;
    timer = setTimeout(run, wait);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }

  /** Read to the end of the stream. Raises if it breaks off, or does not come to an end that is one. */
  async function read(current) {
    const alive = alarm(() => current.abort());
    try {
      const after = listener.after?.() || last;
      const response = await ask("GET", path, { headers: after ? { "Last-Event-ID": after } : {}, signal: current.signal });
      const reader = new EventReader();
      const decoder = new TextDecoder();
      for (let stream = response.body.getReader(), part; !(part = await stream.read()).done; ) {
        alive.again();
        for (const event of reader.read(decoder.decode(part.value, { stream: true }))) {
          if (abort !== current) return;
          if (event.name === "problem") throw new Problem(event.data.status ?? 0, event.data);
          last = event.id || last;
          wait = FIRST_WAIT;
          listener.state("on");
          listener.news(event.name, event.data);
          if (event.name === "end") return;
        }
      }
      throw new Problem(0, { detail: "the stream of news has ended" });
    } finally {
      alive.off();
      current.abort();
    }
  }

  function rest() {
    if (document.hidden) leave();
    else run();
  }

  function leave() {
    clearTimeout(timer);
    const left = abort;
    abort = null;
    left?.abort();
  }

  function stop() {
    stopped = true;
    leave();
    document.removeEventListener("visibilitychange", rest);
  }

  document.addEventListener("visibilitychange", rest);
  run();
  return stop;
}

/** Calls `act` unless `again` comes in time. A line that was cut off silently would be waited for without an end. */
function alarm(act) {
  let timer = setTimeout(act, SILENT_AFTER);
  return {
    again() {
      clearTimeout(timer);
      timer = setTimeout(act, SILENT_AFTER);
    },
    off: () => clearTimeout(timer),
  };
}
