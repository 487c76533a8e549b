/**
 * Where the arrow keys lead: with and against the flow along its edges, aside to the nearest node. Pure.
 */

const AHEAD = { LR: "ArrowRight", TB: "ArrowDown" };
const BACK = { LR: "ArrowLeft", TB: "ArrowUp" };

/**
 * Return the node to which an arrow key leads from another; undefined if there is none. Of several edges it
 * takes the straightest, and none that leads back to an earlier step.
 * @param {import("./graph-model.js").GraphToDraw} graph
 * @param {(import("./culling.js").Rectangle & {id: number})[]} rectangles of its nodes
 * @param {number} from id
 * @param {"ArrowLeft"|"ArrowRight"|"ArrowUp"|"ArrowDown"} key
 * @returns {number|undefined} id
 */
export function findNext(graph, rectangles, from, key) {
  const { orientation, edges } = graph;
  const isAhead = key === AHEAD[orientation];
  if (!isAhead && key !== BACK[orientation]) return findNeighbor(rectangles, from, key);
  const ends = new Set();
  for (const edge of edges) {
    if (edge.back) continue;
    if (isAhead && edge.from === from) ends.add(edge.to);
    if (!isAhead && edge.to === from) ends.add(edge.from);
  }
  const start = rectangles.find((rectangle) => rectangle.id === from);
  const across = (rectangle) => centerOf(rectangle)[orientation === "LR" ? "y" : "x"];
  let [next, least] = [undefined, Infinity];
  for (const rectangle of rectangles) {
    if (!ends.has(rectangle.id)) continue;
    const distance = Math.abs(across(rectangle) - across(start));
    if (distance < least) [next, least] = [rectangle.id, distance];
  }
  return next;
}

/**
 * Return the nearest rectangle in the direction of an arrow key. A distance aside counts more than one ahead.
 * @param {{id: number, x: number, y: number, width: number, height: number}[]} rectangles
 * @param {number} from id
 * @param {"ArrowLeft"|"ArrowRight"|"ArrowUp"|"ArrowDown"} key
 * @returns {number|undefined} id
 */
export function findNeighbor(rectangles, from, key) {
  const start = rectangles.find((rectangle) => rectangle.id === from);
  if (!start) return undefined;
  const [start_, best] = [centerOf(start), { cost: Infinity, id: undefined }];
  for (const rectangle of rectangles) {
    const candidate = centerOf(rectangle);
    const [dx, dy] = [candidate.x - start_.x, candidate.y - start_.y];
    const [ahead, aside] = key === "ArrowLeft" || key === "ArrowRight" ? [dx, dy] : [dy, dx];
    const forwards = key === "ArrowRight" || key === "ArrowDown" ? ahead : -ahead;
    if (forwards < 1 || rectangle.id === from) continue;
    const cost = forwards + 3 * Math.abs(aside);
    if (cost < best.cost) Object.assign(best, { cost, id: rectangle.id });
  }
  return best.id;
}

const centerOf = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 });
