/**
 * A web worker that lays out graphs. It receives `{number, graph}` and sends `{number, arranged}` or
 * `{number, problem}`.
 */

import dagre from "../vendor/dagre.js";
import { arrangeGraph } from "./arrange.js";
import { createDagreLayout } from "./flat-layout.js";

const layoutFlat = createDagreLayout(dagre);

self.addEventListener("message", ({ data: { number, graph } }) => {
  try {
    self.postMessage({ number, arranged: arrangeGraph(graph, layoutFlat) });
  } catch (problem) {
    self.postMessage({ number, problem: String(problem) });
  }
});
