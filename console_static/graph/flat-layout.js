/**
 * Layouts of flat graphs (without boxes): by dagre, or in simple layers if dagre would take too long. Pure.
 */

/** Nodes plus edges: the limits of dagre's best ranker, and of dagre. */
const MAX_FOR_NETWORK_SIMPLEX = 800;
const MAX_FOR_DAGRE = 4000;

/**
 * Return a layout by dagre, or by `layoutLayers` for graphs that are too large or too deep.
 * @param {any} dagre the library
 * @returns {(flat: Flat, gaps: {layers: number, nodes: number}) => Laid}
 */
export function createDagreLayout(dagre) {
  return (flat, gaps) => {
    if (flat.nodes.length + flat.edges.length > MAX_FOR_DAGRE) return layoutLayers(flat, gaps);
    try {
      return layoutWithDagre(dagre, flat, gaps);
    } catch (error) {
      // It recurses along chains, and long ones exceed the stack.
      if (error instanceof RangeError) return layoutLayers(flat, gaps);
      throw error;
    }
  };
}

function layoutWithDagre(dagre, { nodes, edges }, gaps) {
  const graph = new dagre.graphlib.Graph();
  const ranker = nodes.length + edges.length > MAX_FOR_NETWORK_SIMPLEX ? "tight-tree" : "network-simplex";
  graph.setGraph({ rankdir: "LR", ranksep: gaps.layers, nodesep: gaps.nodes, edgesep: 10, ranker });
  for (const { id, width, height } of nodes) graph.setNode(String(id), { width, height });
  for (const [from, to] of edges) graph.setEdge(String(from), String(to), {});
  dagre.layout(graph);
  const at = new Map(nodes.map(({ id }) => [id, copyPoint(graph.node(String(id)))]));
  const lanes = new Map();
  for (const [from, to] of edges) {
    const { points } = graph.edge(String(from), String(to));
    // The first and last point lie on nodes; of the others, every second one lies in a layer of nodes.
    const within = points.slice(1, -1).filter((_, place) => place % 2 === 1);
    if (within.length) lanes.set(`${from}-${to}`, within.map(copyPoint));
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

/** Return whether most columns have later steps above earlier ones: dagre ignores the order of steps. */
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
    for (let place = 1; place < column.length; place += 1)
      balance += Math.sign(column[place].id - column[place - 1].id);
  }
  return balance < 0;
}

const copyPoint = ({ x, y }) => ({ x, y });

/** With more lanes than this, edges get none and run straight over the layers between. */
const MAX_LANES = 20_000;
const LANE_HEIGHT = 10;

/**
 * @typedef {object} Flat a graph without boxes, from left to right
 * @property {{id: number, width: number, height: number}[]} nodes by ascending id
 * @property {[number, number][]} edges each to a larger id
 *
 * @typedef {object} Laid
 * @property {number} width
 * @property {number} height
 * @property {Map<number, {x: number, y: number}>} at by id: the middle of the node
 * @property {Map<string, {x: number, y: number}[]>} lanes by `from-to`: where an edge passes a layer
 */

/**
 * Lay out a graph in layers: each node behind its predecessors, those of a layer in one column.
 * @param {Flat} flat
 * @param {{layers: number, nodes: number}} gaps pixels between layers, and between nodes of a layer
 * @returns {Laid}
 */
export function layoutLayers(flat, gaps) {
  const cells = createCells(flat);
  const layers = [];
  for (const cell of cells) (layers[cell.layer] ??= []).push(cell);
  for (const layer of layers) sortLayer(layer);
  const height = Math.max(0, ...layers.map((layer) => stackCells(layer, gaps.nodes)));
  let x = 0;
  for (const layer of layers) {
    const width = layer.reduce((widest, cell) => Math.max(widest, cell.width), 0);
    const missing = (height - stackCells(layer, gaps.nodes)) / 2;
    for (const cell of layer) [cell.x, cell.y] = [x + width / 2, cell.y + missing];
    x += width + gaps.layers;
  }
  return { width: Math.max(0, x - gaps.layers), height, ...collectPoints(cells) };
}

function createCells({ nodes, edges }) {
  const cells = nodes.map((node) => ({ ...node, layer: 0, before: [], place: 0 }));
  const byId = new Map(cells.map((cell) => [cell.id, cell]));
  const sorted = [...edges].sort(([, one], [, other]) => one - other);
  for (const [from, to] of sorted) {
    const cell = byId.get(to);
    cell.layer = Math.max(cell.layer, byId.get(from).layer + 1);
  }
  const count = sorted.reduce((sum, [from, to]) => sum + byId.get(to).layer - byId.get(from).layer - 1, 0);
  for (const edge of sorted) connect(byId.get(edge[0]), byId.get(edge[1]), edge, count <= MAX_LANES, cells);
  return cells;
}

function connect(source, target, edge, withLanes, cells) {
  let before = source;
  for (let layer = source.layer + 1; withLanes && layer < target.layer; layer += 1) {
    const lane = { id: -1, edge, layer, width: 0, height: LANE_HEIGHT, before: [before], place: 0 };
    cells.push(lane);
    before = lane;
  }
  target.before.push(before);
}

/** Sort a layer; the layers before it are sorted. */
function sortLayer(layer) {
  for (const [place, cell] of layer.entries()) {
    const sum = cell.before.reduce((total, each) => total + each.place, 0);
    cell.barycenter = cell.before.length ? sum / cell.before.length : place / layer.length;
  }
  layer.sort((one, other) => one.barycenter - other.barycenter);
  for (const [place, cell] of layer.entries()) cell.place = place / Math.max(1, layer.length - 1);
}

/** Stack the cells of a layer. Return their height. */
function stackCells(layer, gap) {
  let y = 0;
  for (const cell of layer) {
    cell.y = y + cell.height / 2;
    y += cell.height + gap;
  }
  return y - gap;
}

function collectPoints(cells) {
  const at = new Map();
  const lanes = new Map();
  for (const { id, edge, x, y } of cells) {
    if (!edge) at.set(id, { x, y });
    else {
      const key = `${edge[0]}-${edge[1]}`;
      if (lanes.has(key)) lanes.get(key).push({ x, y });
      else lanes.set(key, [{ x, y }]);
    }
  }
  return { at, lanes };
}
