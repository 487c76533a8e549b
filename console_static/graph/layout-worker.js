/**
 * Lays out graphs beside the page, which goes on meanwhile. Takes `{number, graph}`, answers `{number, arranged}` or
 * `{number, problem}`.
 */

import dagre from "../vendor/dagre.js";
import { arrange } from "./arrange.js";
import { layoutBy } from "./dagre-layout.js";

const layFlat = layoutBy(dagre);

self.addEventListener("message", ({ data: { number, graph } }) => {
  try {
    self.postMessage({ number, arranged: arrange(graph, layFlat) });
  } catch (problem) {
    self.postMessage({ number, problem: String(problem) });
  }
});
