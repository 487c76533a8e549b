/** The edges of a graph that are in sight. */

import { html, useMemo } from "../vendor/preact.js";
import { MAX_DRAWN_EDGES } from "./culling.js";

/**
 * @param {object} props
 * @param {any} props.arranged the layout, with its graph
 * @param {number[]} props.places of the edges in sight
 * @param {boolean[]} props.passed whether the workflow has passed an edge
 */
export function Edges({ arranged, places, passed }) {
  return useMemo(() => {
    if (places.length > MAX_DRAWN_EDGES) return joinEdges(arranged, places, passed);
    return places.map((place) => {
      const { from, to, back } = arranged.graph.edges[place];
      return html`<path
        key=${`${from}-${to}`}
        class=${`edge${passed[place] ? " travelled" : ""}${back ? " back" : ""}`}
        d=${arranged.edges[place]}
        marker-end=${`url(#edge-head${passed[place] ? "-travelled" : ""})`}
      />`;
    });
  }, [arranged, places, passed]);
}

/** Join many edges to one path for those that are passed and one for the others, without arrow heads. */
function joinEdges(arranged, places, passed) {
  return [false, true].map((isPassed) => {
    const paths = places.filter((place) => passed[place] === isPassed).map((place) => arranged.edges[place]);
    return html`<path
      key=${`all ${isPassed}`}
      class=${`edge${isPassed ? " travelled" : ""}`}
      d=${paths.join("")}
    />`;
  });
}

/** The arrow heads of passed and other edges. */
export const ArrowHeads = () => html`<defs>
  ${["edge-head", "edge-head-travelled"].map(
    (id) => html`<marker
      key=${id}
      id=${id}
      viewBox="0 0 8 8"
      refX="6.5"
      refY="4"
      markerWidth="8"
      markerHeight="8"
      markerUnits="userSpaceOnUse"
      orient="auto"
    >
      <path class=${id} d="M0.5 0.8 7 4 0.5 7.2z" />
    </marker>`,
  )}
</defs>`;
