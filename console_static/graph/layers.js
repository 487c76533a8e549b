/**
 * A plain layout in layers, for flat graphs that are too large for a careful one. Pure; never fails.
 *
 * A node stands one layer behind the last of those that lead to it. In a layer, nodes stand in the order of what
 * leads to them. An edge over several layers gets a lane in each.
 */

/** Lanes are left out where there would be more of them: such edges go straight over what is in between. */
const MOST_LANES = 20_000;
const LANE = 10;

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
 * @param {Flat} flat
 * @param {{layers: number, nodes: number}} gaps pixels between layers, and between nodes of a layer
 * @returns {Laid}
 */
export function layLayers(flat, gaps) {
  const cells = makeCells(flat);
  const layers = [];
  for (const cell of cells) (layers[cell.layer] ??= []).push(cell);
  for (const layer of layers) order(layer);
  const height = Math.max(0, ...layers.map((layer) => stack(layer, gaps.nodes)));
  let x = 0;
  for (const layer of layers) {
    const width = layer.reduce((widest, cell) => Math.max(widest, cell.width), 0);
    const missing = (height - stack(layer, gaps.nodes)) / 2;
    for (const cell of layer) [cell.x, cell.y] = [x + width / 2, cell.y + missing];
    x += width + gaps.layers;
  }
  return { width: Math.max(0, x - gaps.layers), height, ...places(cells) };
}

function makeCells({ nodes, edges }) {
  const cells = nodes.map((node) => ({ ...node, layer: 0, before: [], place: 0 }));
  const byId = new Map(cells.map((cell) => [cell.id, cell]));
  const sorted = [...edges].sort(([, one], [, other]) => one - other);
  for (const [from, to] of sorted) {
    const cell = byId.get(to);
    cell.layer = Math.max(cell.layer, byId.get(from).layer + 1);
  }
  const count = sorted.reduce((sum, [from, to]) => sum + byId.get(to).layer - byId.get(from).layer - 1, 0);
  for (const edge of sorted) connect(byId.get(edge[0]), byId.get(edge[1]), edge, count <= MOST_LANES, cells);
  return cells;
}

function connect(source, target, edge, withLanes, cells) {
  let before = source;
  for (let layer = source.layer + 1; withLanes && layer < target.layer; layer += 1) {
    const lane = { id: -1, edge, layer, width: 0, height: LANE, before: [before], place: 0 };
    cells.push(lane);
    before = lane;
  }
  target.before.push(before);
}

/** Put a layer in order; layers before it are in order already. */
function order(layer) {
  for (const [place, cell] of layer.entries()) {
    const sum = cell.before.reduce((total, each) => total + each.place, 0);
    cell.wanted = cell.before.length ? sum / cell.before.length : place / layer.length;
  }
  layer.sort((one, other) => one.wanted - other.wanted);
  for (const [place, cell] of layer.entries()) cell.place = place / Math.max(1, layer.length - 1);
}

/** Put the cells of a layer below each other; how tall they are together. */
function stack(layer, gap) {
  let y = 0;
  for (const cell of layer) {
    cell.y = y + cell.height / 2;
    y += cell.height + gap;
  }
  return y - gap;
}

function places(cells) {
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
