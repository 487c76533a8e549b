/** What of a graph is in the document. It changes when the view has moved far enough. */

import { useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { chooseDrawnArea, chooseMostNodes, findAreaInSight, measurePath, overlaps } from "./culling.js";

const NOTHING = { ids: new Set(), groups: [], blocks: [], edges: [] };

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
  const [shown, setShown] = useState(null);
  useLayoutEffect(
    () =>
      actions.watch((view, pane) => {
        const area = chooseDrawnArea(latest.current, view, pane);
        if (area === latest.current) return;
        latest.current = area;
        setShown({ area, sight: findAreaInSight(view, pane), most: chooseMostNodes(view) });
      }),
    [],
  );
  const extents = useMemo(() => arranged.edges.map((path) => (path ? measurePath(path) : null)), [arranged]);
  const inSight = useMemo(() => {
    if (!shown) return { ...NOTHING, isFar: false };
    const { area, sight, most } = shown;
    if (rectangles.filter((rectangle) => overlaps(rectangle, sight)).length > most)
      return { ...NOTHING, isFar: true };
    const isIn = (rectangle) => rectangle && overlaps(rectangle, area);
    return {
      isFar: false,
      ids: new Set(rectangles.filter(isIn).map(({ id }) => id)),
      groups: graph.groups.filter((group) => isIn(arranged.groups.get(group.id))),
      blocks: arranged.blocks.filter(isIn),
      edges: [...extents.keys()].filter((place) => isIn(extents[place])),
    };
  }, [arranged, rectangles, shown]);
  return useMemo(
    () => ({ ...inSight, nodes: graph.nodes.filter(({ id }) => inSight.ids.has(id) || kept.includes(id)) }),
    [inSight, ...kept],
  );
}
