/** What of a graph is in the document. It changes when the view has moved far enough. */

import { useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { MAX_DRAWN_NODES, chooseDrawnArea, measurePath, overlaps } from "./culling.js";

const NONE = new Set();

/**
 * Return what of the graph is to be in the document: what is in sight, and the nodes that are kept in any
 * case.
 * @param {any} actions of use-viewport.js
 * @param {any} arranged the layout, with its graph
 * @param {(import("./culling.js").Rectangle & {id: number})[]} rectangles of all nodes
 * @param {(number|null)[]} kept
 * @returns {{isFar: boolean, nodes: any[], groups: any[], blocks: any[], edges: number[]}} `isFar`: too
 *   much is
 *   in sight, and a canvas has to show it; `edges`: places in the graph
 */
export function useDrawn(actions, arranged, rectangles, kept) {
  const { graph } = arranged;
  const latest = useRef(null);
  const [area, setArea] = useState(null);
  useLayoutEffect(
    () =>
      actions.watch((view, pane) => {
        latest.current = chooseDrawnArea(latest.current, view, pane);
        setArea(latest.current);
      }),
    [],
  );
  const extents = useMemo(() => arranged.edges.map((path) => (path ? measurePath(path) : null)), [arranged]);
  const inSight = useMemo(() => {
    const isIn = (rectangle) => area !== null && rectangle && overlaps(rectangle, area);
    const nodes = rectangles.filter(isIn);
    if (nodes.length > MAX_DRAWN_NODES) return { isFar: true, ids: NONE, groups: [], blocks: [], edges: [] };
    return {
      isFar: false,
      ids: new Set(nodes.map(({ id }) => id)),
      groups: graph.groups.filter((group) => isIn(arranged.groups.get(group.id))),
      blocks: arranged.blocks.filter(isIn),
      edges: [...extents.keys()].filter((place) => isIn(extents[place])),
    };
  }, [arranged, rectangles, area]);
  return useMemo(
    () => ({ ...inSight, nodes: graph.nodes.filter(({ id }) => inSight.ids.has(id) || kept.includes(id)) }),
    [inSight, ...kept],
  );
}
