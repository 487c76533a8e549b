/**
 * A careful layout of a flat graph, by dagre; where that would take too long, a plain one. Pure.
 */

import { layLayers } from "./layers.js";

/** Nodes and edges: up to so many, dagre takes its most careful way; up to so many, a quicker one. */
const CAREFUL = 800;
const QUICK = 4000;

/**
 * @param {object} dagre the library
 * @returns {(flat: import("./layers.js").Flat, gaps: {layers: number, nodes: number}) => import("./layers.js").Laid}
 */
export function layoutBy(dagre) {
  return (flat, gaps) => {
    if (flat.nodes.length + flat.edges.length > QUICK) return layLayers(flat, gaps);
    try {
      return layDagre(dagre, flat, gaps);
    } catch (error) {
      if (error instanceof RangeError) return layLayers(flat, gaps); // it follows long chains by recursion
      throw error;
    }
  };
}

function layDagre(dagre, { nodes, edges }, gaps) {
  const graph = new dagre.graphlib.Graph();
  const ranker = nodes.length + edges.length > CAREFUL ? "tight-tree" : "network-simplex";
  graph.setGraph({ rankdir: "LR", ranksep: gaps.layers, nodesep: gaps.nodes, edgesep: 10, ranker });
  for (const { id, width, height } of nodes) graph.setNode(String(id), { width, height });
  for (const [from, to] of edges) graph.setEdge(String(from), String(to), {});
  dagre.layout(graph);
  const at = new Map(nodes.map(({ id }) => [id, pointOf(graph.node(String(id)))]));
  const lanes = new Map();
  for (const [from, to] of edges) {
    const { points } = graph.edge(String(from), String(to));
    // Of its points the first and last lie on nodes; between them, every second one lies in a layer of nodes.
    const within = points.slice(1, -1).filter((_, place) => place % 2 === 1);
    if (within.length) lanes.set(`${from}-${to}`, within.map(pointOf));
  }
  const { width, height } = graph.graph();
  const turn = isUpsideDown(at) ? ({ x, y }) => ({ x, y: height - y }) : (point) => point;
  return {
    width,
    height,
    at: new Map([...at].map(([id, point]) => [id, turn(point)])),
    lanes: new Map([...lanes].map(([key, points]) => [key, points.map(turn)])),
  };
}

/** Whether in columns, on the whole, later steps stand above earlier ones: dagre does not care, readers do. */
function isUpsideDown(at) {
  const columns = new Map();
  for (const [id, { x, y }] of at) {
    const column = Math.round(x);
    if (columns.has(column)) columns.get(column).push({ id, y });
    else columns.set(column, [{ id, y }]);
  }
  let balance = 0;
  for (const column of columns.values()) {
    column.sort((one, other) => one.y - other.y);
    for (let place = 1; place < column.length; place += 1) balance += Math.sign(column[place].id - column[place - 1].id);
  }
  return balance < 0;
}

const pointOf = ({ x, y }) => ({ x, y });
