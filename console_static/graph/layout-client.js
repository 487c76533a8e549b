/**
 * Asks a worker for the layout of a graph. A newer question ends an older one, whose answer nobody wants any more.
 */

/**
 * @typedef {object} Layouts
 * @property {(graph: import("./graph-model.js").GraphToDraw) => Promise<import("./arrange.js").Arranged>} ask
 *   rejects with an Error if the layout fails, and with a `Superseded` if a newer question was asked
 * @property {() => void} close ends the worker
 */

/** Why a question has no answer: a newer one was asked, or nobody waits any more. */
export class Superseded extends Error {}

/**
 * @param {() => Worker} [start] how a worker is started
 * @returns {Layouts}
 */
export function makeLayouts(start = startWorker) {
  let worker = null;
  let asked = null;
  let number = 0;

  function settle(how, value) {
    const { resolve, reject } = asked;
    asked = null;
    if (how === "resolve") resolve(value);
    else reject(value);
  }

  function drop() {
    worker?.terminate();
    worker = null;
    if (asked) settle("reject", new Superseded("a newer layout is asked for"));
  }

  function open() {
    worker = start();
    worker.addEventListener("message", ({ data }) => {
      if (!asked || data.number !== number) return;
      if (data.problem) settle("reject", new Error(data.problem));
      else settle("resolve", data.arranged);
    });
    worker.addEventListener("error", (event) => {
      if (asked) settle("reject", new Error(event.message || "the layout could not be loaded"));
    });
  }

  return {
    ask(graph) {
      if (asked) drop();
      if (!worker) open();
      number += 1;
      const { orientation, nodes, groups, edges } = graph;
      return new Promise((resolve, reject) => {
        asked = { resolve, reject };
        worker.postMessage({ number, graph: { orientation, nodes: nodes.map(toLay), groups: groups.map(boxToLay), edges } });
      });
    },
    close: drop,
  };
}

const toLay = ({ id, scope, width, height }) => ({ id, scope, width, height });
const boxToLay = ({ id, end, scope, room }) => ({ id, end, scope, room });

function startWorker() {
  return new Worker(new URL("./layout-worker.js", import.meta.url), { type: "module" });
}
