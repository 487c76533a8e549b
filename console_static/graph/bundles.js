/**
 * Wide fans in a flat graph: many nodes with the same one before them and the same one behind. In one column they
 * would be a tower that nobody can see; so they stand in a block, row by row, with one edge to it and one from it. Pure.
 */

/** A fan of more nodes than this stands in a block. */
export const WIDE = 12;

/** How much wider than tall a block is meant to be. */
const ASPECT = 1.6;
const GAP = 14;
const PADDING = 12;

/**
 * @typedef {object} Block
 * @property {number} id that of its first node, for which it stands in the layout
 * @property {object[]} nodes by id
 * @property {number} columns
 * @property {number} width
 * @property {number} height
 */

/**
 * Put wide fans into blocks.
 * @param {import("./layers.js").Flat} flat
 * @returns {{flat: import("./layers.js").Flat, blocks: Block[]}} the graph with a node for each block
 */
export function bundle({ nodes, edges }) {
  const blocks = fansOf(nodes, edges).filter((fan) => fan.length > WIDE).map(makeBlock);
  if (!blocks.length) return { flat: { nodes, edges }, blocks };
  const hidden = new Set(blocks.flatMap((block) => block.nodes.slice(1).map((node) => node.id)));
  const byId = new Map(blocks.map((block) => [block.id, block]));
  const left = nodes.filter((node) => !hidden.has(node.id));
  return {
    flat: {
      nodes: left.map((node) => byId.get(node.id) ?? node),
      edges: edges.filter(([from, to]) => !hidden.has(from) && !hidden.has(to)),
    },
    blocks,
  };
}

/** Nodes of one size with the same one before and the same one behind, together; each list by id. */
function fansOf(nodes, edges) {
  const [before, behind] = [new Map(), new Map()];
  const note = (map, id, other) => map.set(id, map.has(id) ? null : other); // null: more than one
  for (const [from, to] of edges) {
    note(before, to, from);
    note(behind, from, to);
  }
  const fans = new Map();
  for (const node of nodes) {
    const [source, target] = [before.get(node.id) ?? null, behind.get(node.id) ?? null];
    if (source === null || target === null || !node.isStep) continue;
    const key = `${source}-${target}`;
    if (fans.has(key)) fans.get(key).push(node);
    else fans.set(key, [node]);
  }
  return [...fans.values()];
}

function makeBlock(nodes) {
  const [width, height] = ["width", "height"].map((side) => Math.max(...nodes.map((node) => node[side])));
  const columns = Math.max(1, Math.round(Math.sqrt((nodes.length * (height + GAP) * ASPECT) / (width + GAP))));
  const rows = Math.ceil(nodes.length / columns);
  return {
    id: nodes[0].id,
    nodes,
    columns,
    width: columns * (width + GAP) - GAP + 2 * PADDING,
    height: rows * (height + GAP) - GAP + 2 * PADDING,
  };
}

/**
 * The middle of each node of a block.
 * @param {Block} block
 * @param {{x: number, y: number}} middle of the block
 * @returns {[number, {x: number, y: number}][]} by id
 */
export function placesIn({ nodes, columns, width, height }, middle) {
  const cell = { width: (width - 2 * PADDING + GAP) / columns, height: 0 };
  cell.height = (height - 2 * PADDING + GAP) / Math.ceil(nodes.length / columns);
  const [left, top] = [middle.x - width / 2 + PADDING - GAP / 2, middle.y - height / 2 + PADDING - GAP / 2];
  return nodes.map(({ id }, place) => [
    id,
    {
      x: left + ((place % columns) + 0.5) * cell.width,
      y: top + (Math.floor(place / columns) + 0.5) * cell.height,
    },
  ]);
}
