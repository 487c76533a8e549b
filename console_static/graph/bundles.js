/**
 * Bundles wide fans: many nodes with the same predecessor and the same successor. One column of them would be
 * too tall; so they form a block of rows with one edge to it and one from it. Pure.
 */

/** Fans with more nodes than this become a block. */
export const WIDE_FAN = 12;

/** The intended ratio of a block's width to its height. */
const ASPECT = 1.6;
const GAP = 14;
const PADDING = 12;

/**
 * @typedef {object} Block
 * @property {number} id the id of its first node, which it replaces in the layout
 * @property {object[]} nodes by id
 * @property {number} columns
 * @property {number} width
 * @property {number} height
 * @property {{x: number, y: number}} [at] its center, once it is laid out
 */

/**
 * Replace wide fans by blocks.
 * @param {import("./flat-layout.js").Flat} flat
 * @returns {{flat: import("./flat-layout.js").Flat, blocks: Block[]}} the graph with a node for each block
 */
export function bundleFans({ nodes, edges }) {
  const blocks = findFans(nodes, edges)
    .filter((fan) => fan.length > WIDE_FAN)
    .map(createBlock);
  if (!blocks.length) return { flat: { nodes, edges }, blocks };
  const hiddenIds = new Set(blocks.flatMap((block) => block.nodes.slice(1).map((node) => node.id)));
  const byId = new Map(blocks.map((block) => [block.id, block]));
  const visibleNodes = nodes.filter((node) => !hiddenIds.has(node.id));
  return {
    flat: {
      nodes: visibleNodes.map((node) => byId.get(node.id) ?? node),
      edges: edges.filter(([from, to]) => !hiddenIds.has(from) && !hiddenIds.has(to)),
    },
    blocks,
  };
}

/** Return lists of steps with the same single predecessor and the same single successor. */
function findFans(nodes, edges) {
  const [before, behind] = [new Map(), new Map()];
  const recordNeighbor = (map, id, other) => map.set(id, map.has(id) ? null : other); // null: more than one
  for (const [from, to] of edges) {
    recordNeighbor(before, to, from);
    recordNeighbor(behind, from, to);
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

function createBlock(nodes) {
  const [width, height] = ["width", "height"].map((side) => Math.max(...nodes.map((node) => node[side])));
  const columns = Math.max(
    1,
    Math.round(Math.sqrt((nodes.length * (height + GAP) * ASPECT) / (width + GAP))),
  );
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
 * Return the center of each node of a block.
 * @param {Block} block
 * @param {{x: number, y: number}} middle of the block
 * @returns {[number, {x: number, y: number}][]} by id
 */
export function placeNodes({ nodes, columns, width, height }, middle) {
  const cell = { width: (width - 2 * PADDING + GAP) / columns, height: 0 };
  cell.height = (height - 2 * PADDING + GAP) / Math.ceil(nodes.length / columns);
  const [visibleNodes, top] = [
    middle.x - width / 2 + PADDING - GAP / 2,
    middle.y - height / 2 + PADDING - GAP / 2,
  ];
  return nodes.map(({ id }, place) => [
    id,
    {
      x: visibleNodes + ((place % columns) + 0.5) * cell.width,
      y: top + (Math.floor(place / columns) + 0.5) * cell.height,
    },
  ]);
}
