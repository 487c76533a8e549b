/**
 * Requests layouts from a web worker. A newer request cancels an older one.
 */

/**
 * @typedef {object} LayoutClient
 * @property {(graph: import("./graph-model.js").GraphToDraw) => Promise<import("./arrange.js").Arranged>}
 *   request rejects with an Error if the layout fails, and with a `Superseded` after a newer request
 * @property {() => void} close ends the worker
 */

/** The reason of a cancelled request: a newer request, or `close`. */
export class Superseded extends Error {}

/**
 * Create a client. It starts its worker at the first request, and a new one after a cancelled request.
 * @param {() => Worker} [start] starts a worker
 * @returns {LayoutClient}
 */
export function createLayoutClient(start = startWorker) {
  let worker = null;
  let pending = null;
  let number = 0;

  function settle(outcome, value) {
    const { resolve, reject } = pending;
    pending = null;
    if (outcome === "resolve") resolve(value);
    else reject(value);
  }

  function terminate() {
    worker?.terminate();
    worker = null;
    if (pending) settle("reject", new Superseded("a newer layout was requested"));
  }

  function startIfNeeded() {
    worker = start();
    worker.addEventListener("message", ({ data }) => {
      if (!pending || data.number !== number) return;
      if (data.problem) settle("reject", new Error(data.problem));
      else settle("resolve", data.arranged);
    });
    worker.addEventListener("error", (event) => {
      if (pending) settle("reject", new Error(event.message || "the layout could not be loaded"));
    });
  }

  return {
    request(graph) {
      if (pending) terminate();
      if (!worker) startIfNeeded();
      number += 1;
      const { orientation, nodes, groups, edges } = graph;
      return new Promise((resolve, reject) => {
        pending = { resolve, reject };
        worker.postMessage({
          number,
          graph: { orientation, nodes: nodes.map(pickNode), groups: groups.map(pickGroup), edges },
        });
      });
    },
    close: terminate,
  };
}

const pickNode = ({ id, scope, width, height }) => ({ id, scope, width, height });
const pickGroup = ({ id, end, scope, room }) => ({ id, end, scope, room });

function startWorker() {
  return new Worker(new URL("./layout-worker.js", import.meta.url), { type: "module" });
}
