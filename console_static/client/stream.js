// Server-sent events, read with fetch because EventSource cannot send a token. (WHATWG HTML, section 9.2)

import { Problem, request } from "./api.js";
import { parseJson } from "./exact-json.js";

const MIN_DELAY_MS = 500;
const MAX_DELAY_MS = 5000;
const SILENCE_TIMEOUT_MS = 15_000; // the server sends a line every 5 s
const MOST_STREAMS = 4; // a browser opens six connections to a server: two are left for requests
const WAITING_MS = 10_000;
export const PERMANENT_ERRORS = [400, 401, 403, 404]; // the same request would fail again

/**
 * Read a stream until the returned function is called. A stream that is broken, silent or at its end is
 * resumed with exponential backoff, but not after a permanent error. While the page is hidden, it is closed.
 *
 * @param {string} path of the API
 * @param {object} listener
 * @param {(name: string, data: any) => void} listener.onEvent
 * @param {(state: "on"|"off"|"refused"|"waiting", problem?: unknown) => void} listener.onState `on`: before
 *   each event; `off`: it is retried; `refused`: it is not; `waiting`: again and again while other windows
 *   have all streams
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
      await inStreamSlot(
        current.signal,
        () => listener.onState("waiting"),
        () => read(current),
      );
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

/**
 * Do `work` in one of the slots for streams that all windows of this browser share. Call `onWait` at once
 * and at an interval while none is free: without slots, a further window would wait for ever. Browsers have
 * no locks for pages that come neither by TLS nor from this machine; there, slots are not counted.
 */
async function inStreamSlot(signal, onWait, work) {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work();
  const useSlot = (number, options, callback) => locks.request(`lfr.stream.${number}`, options, callback);
  for (let number = 0; number < MOST_STREAMS; number += 1) {
    const used = await useSlot(number, { ifAvailable: true }, (lock) => lock && work().then(() => true));
    if (used) return undefined;
  }
  onWait();
  const timer = setInterval(onWait, WAITING_MS);
  return useSlot(Math.floor(Math.random() * MOST_STREAMS), { signal }, () => {
    clearInterval(timer);
    return work();
  }).finally(() => clearInterval(timer));
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
