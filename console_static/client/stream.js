// Server-sent events, read with fetch because EventSource cannot send a token. (WHATWG HTML, section 9.2)

import { Problem, request } from "./api.js";
import { parseJson } from "./exact-json.js";

const MIN_DELAY_MS = 500;
const MAX_DELAY_MS = 5000;
const SILENCE_TIMEOUT_MS = 40_000; // the server sends a line every 15 s
export const PERMANENT_ERRORS = [400, 401, 403, 404]; // the same request would fail again

/**
 * Read a stream until the returned function is called. A stream that is broken, silent or at its end is
 * resumed with exponential backoff, but not after a permanent error. While the page is hidden, it is closed.
 *
 * @param {string} path of the API
 * @param {object} listener
 * @param {(name: string, data: any) => void} listener.onEvent
 * @param {(state: "on"|"off"|"refused", problem?: unknown) => void} listener.onState `on`: before each event;
 *   `off`: it is retried; `refused`: it is not
 * @param {() => string} [listener.lastEventId] the id to resume after; by default that of the last event
 */
export function followStream(path, listener) {
  let isStopped = false;
  let lastId = "";
  let delay = MIN_DELAY_MS;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  /** @type {AbortController|null} */
  let connection = null; // a request whose controller is not this one is obsolete

  async function connect() {
    if (isStopped || document.hidden || connection) return;
    const current = (connection = new AbortController());
    let problem;
    try {
      await read(current);
    } catch (error) {
      problem = error;
    }
    if (connection !== current) return;
    connection = null;
    const isPermanent = problem instanceof Problem && PERMANENT_ERRORS.includes(problem.status);
    if (isPermanent) stop();
    if (problem) listener.onState(isPermanent ? "refused" : "off", problem);
    if (isStopped) return;
    timer = setTimeout(connect, delay);
    delay = Math.min(2 * delay, MAX_DELAY_MS);
  }

  /** Read the stream up to its `end` event. Throws if the stream breaks before. */
  async function read(current) {
    const watchdog = startWatchdog(() => current.abort());
    try {
      const resumeId = listener.lastEventId?.() || lastId;
      const response = await request("GET", path, {
        headers: resumeId ? { "Last-Event-ID": resumeId } : {},
        signal: current.signal,
      });
      const parser = new EventParser();
      const decoder = new TextDecoder();
      for (let stream = response.body.getReader(), chunk; !(chunk = await stream.read()).done; ) {
        watchdog.reset();
        for (const event of parser.parse(decoder.decode(chunk.value, { stream: true }))) {
          if (connection !== current) return;
          if (event.name === "problem") throw new Problem(event.data.status ?? 0, event.data);
          lastId = event.id || lastId;
          delay = MIN_DELAY_MS;
          listener.onState("on");
          listener.onEvent(event.name, event.data);
          if (event.name === "end") return;
        }
      }
      throw new Problem(0, { detail: "the live stream has ended" });
    } finally {
      watchdog.stop();
      current.abort();
    }
  }

  function followVisibility() {
    if (document.hidden) disconnect();
    else connect();
  }

  function disconnect() {
    clearTimeout(timer);
    const controller = connection;
    connection = null;
    controller?.abort();
  }

  function stop() {
    isStopped = true;
    disconnect();
    document.removeEventListener("visibilitychange", followVisibility);
  }

  document.addEventListener("visibilitychange", followVisibility);
  connect();
  return stop;
}

/** Call `onTimeout` unless `reset` comes in time: a connection may be lost without an error. */
function startWatchdog(onTimeout) {
  let timer = setTimeout(onTimeout, SILENCE_TIMEOUT_MS);
  return {
    reset() {
      clearTimeout(timer);
      timer = setTimeout(onTimeout, SILENCE_TIMEOUT_MS);
    },
    stop: () => clearTimeout(timer),
  };
}

/** Parses an event stream that arrives in chunks of any size. (WHATWG HTML, section 9.2.6) */
export class EventParser {
  #rest = "";
  /** @type {{name?: string, data?: string, id?: string}} */
  #event = {};

  /** Add a chunk. Return the events that are now complete: `name`, `data` (parsed JSON), `id`. */
  parse(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    return lines.flatMap((line) => this.#parseLine(line.replace(/\r$/, "")));
  }

  #parseLine(line) {
    if (line === "") {
      const { name = "message", data, id = "" } = this.#event;
      this.#event = {};
      return data === undefined ? [] : [{ name, id, data: parseJson(data) }];
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.#event.name = value;
    if (field === "id") this.#event.id = value;
    if (field === "data")
      this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`;
    return [];
  }
}
