/**
 * Where nodes, boxes and edges of a graph stand. Pure.
 *
 * Each box is laid out by itself, the innermost first, and is then one node of what is around it. So a flat layout
 * is all that is needed, and a box takes no more room than what is in it. Everything is laid out from left to
 * right; for a graph from top to bottom the sides of all that is laid out are swapped before and after.
 */

import { bundle, placesIn } from "./bundles.js";
import { pathOf } from "./edge-paths.js";

/** Pixels around all, inside of a box around what is in it, and what the heading of a box takes. */
const MARGIN = 24;
const PADDING = 14;
const HEADING = 28;

/** Pixels that a box may get taller, so that its doors are in the middle. */
const MOST_FOR_DOORS = 60;

/** Pixels between layers, the most that a fan adds to them, and between the nodes of a layer. */
const BETWEEN_LAYERS = 44;
const MOST_FOR_FANS = 96;
const BETWEEN_NODES = 18;

/** Edges back are led around what is in the same box, each in a lane of its own. */
const BACK = { gap: 18, lane: 9, lanes: 8, stub: 12 };

/**
 * @typedef {object} Arranged
 * @property {number} width
 * @property {number} height
 * @property {Map<number, {x: number, y: number}>} nodes by id: the upper left corner
 * @property {Map<number, {x: number, y: number, width: number, height: number}>} groups by id
 * @property {{x: number, y: number, width: number, height: number}[]} blocks behind the nodes of wide fans
 * @property {string[]} edges a path for each edge of the graph, in their order; "" for one that another stands for:
 *   one edge leads to all of a wide fan, and one from it
 */

/**
 * @param {import("./graph-model.js").GraphToDraw} graph
 * @param {(flat: import("./layers.js").Flat, gaps: object) => import("./layers.js").Laid} layFlat
 * @returns {Arranged}
 */
export function arrange(graph, layFlat) {
  const turned = graph.orientation === "TB";
  const { scopes, lifted } = sortIntoScopes(graph, turned);
  for (const group of [...graph.groups].reverse()) {
    const laid = layScope(scopes.get(group.id), layFlat);
    const box = boxAround(laid, group, turned);
    const outer = scopes.get(group.scope);
    outer.nodes.push({ id: group.id, width: box.width, height: box.height });
    outer.boxes.set(group.id, box);
  }
  const whole = { laid: layScope(scopes.get(-1), layFlat), dx: MARGIN, dy: MARGIN };
  const placed = { nodes: new Map(), groups: new Map(), scopes: new Map(), blocks: new Map() };
  put(whole, scopes, -1, 0, 0, placed);
  const edges = graph.edges.map((edge, place) => {
    const scope = placed.scopes.get(lifted[place].scope);
    const ends = [edge.from, edge.to].map((id) => endOf(id, scope.laid, placed));
    return ends.includes(null) ? "" : pathOf(...ends, wayOf(scope, lifted[place]), turned);
  });
  const { width, height } = whole.laid;
  const size = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
  const turn = turned ? swap : (place) => place;
  const turnAll = (places) => new Map([...places].map(([id, place]) => [id, turn(place)]));
  return {
    ...turn({ x: 0, y: 0, ...size }),
    nodes: turnAll(placed.nodes),
    groups: turnAll(placed.groups),
    blocks: [...turnAll(placed.blocks).values()],
    edges,
  };
}

/** Where an edge ends: at its node; at the block that this stands in, if it is the first there; else nowhere. */
function endOf(id, laid, placed) {
  const block = laid.blockOf.get(id);
  if (block === undefined) return placed.nodes.get(id);
  return block === id ? placed.blocks.get(id) : null;
}

const swap = ({ x, y, width, height }) => ({ x: y, y: x, width: height, height: width });

/**
 * By box, or -1: the nodes that stand in it, and the edges between them. And of each edge of the graph: the innermost
 * box that holds both its ends, and which of the things in that box it leads from and to.
 */
function sortIntoScopes(graph, turned) {
  const scopes = new Map([[-1, newScope()]]);
  const around = new Map();
  for (const group of graph.groups) {
    scopes.set(group.id, newScope());
    around.set(group.id, group.scope);
  }
  const scopeOf = new Map();
  for (const { id, scope, width, height } of graph.nodes) {
    const size = turned ? { width: height, height: width } : { width, height };
    scopes.get(scope).nodes.push({ id, isStep: true, ...size });
    scopeOf.set(id, scope);
  }
  const lifted = graph.edges.map((edge) => lift(edge, scopeOf, around));
  for (const { scope, from, to, back } of lifted) {
    const within = scopes.get(scope);
    if (back) within.backs.push(`${from}-${to}`);
    else within.edges.set(`${from}-${to}`, [from, to]);
  }
  return { scopes, lifted };
}

const newScope = () => ({ nodes: [], boxes: new Map(), edges: new Map(), backs: [] });

function lift({ from, to, back }, scopeOf, around) {
  if (scopeOf.get(from) === scopeOf.get(to)) return { scope: scopeOf.get(from), from, to, back };
  const ways = new Map(outwards(from, scopeOf, around));
  for (const [scope, id] of outwards(to, scopeOf, around)) {
    if (ways.has(scope)) return { scope, from: ways.get(scope), to: id, back };
  }
  throw new Error(`no box holds both ${from} and ${to}`);
}

/** The boxes around a node from the inside out, each with what of it stands for the node. */
function* outwards(id, scopeOf, around) {
  let [scope, inside] = [scopeOf.get(id), id];
  while (scope !== -1) {
    yield [scope, inside];
    [scope, inside] = [around.get(scope), scope];
  }
  yield [-1, inside];
}

/** The nodes of one box in their places, beginning at 0, 0, and the columns and lanes for its edges. */
function layScope(scope, layFlat) {
  const nodes = [...scope.nodes].sort((one, other) => one.id - other.id);
  const { flat, blocks } = bundle({ nodes, edges: [...scope.edges.values()] });
  const layers = BETWEEN_LAYERS + Math.min(MOST_FOR_FANS, Math.max(0, widestFan(flat.edges) - 6) * 2);
  const laid = layFlat(flat, { layers, nodes: BETWEEN_NODES });
  const halves = new Map();
  for (const { id, width } of flat.nodes) {
    const column = Math.round(laid.at.get(id).x);
    halves.set(column, Math.max(halves.get(column) ?? 0, width / 2));
  }
  const blockOf = new Map();
  for (const block of blocks) {
    block.at = laid.at.get(block.id);
    for (const [id, at] of placesIn(block, block.at)) {
      laid.at.set(id, at);
      blockOf.set(id, block.id);
    }
  }
  const lanes = Math.min(scope.backs.length, BACK.lanes);
  const below = lanes ? BACK.gap + (lanes - 1) * BACK.lane : 0;
  return { ...laid, nodes, halves, blocks, blockOf, content: laid.height, height: laid.height + below, backs: scope.backs };
}

function widestFan(edges) {
  const counts = new Map();
  let widest = 0;
  for (const [from, to] of edges) {
    for (const key of [`${from}>`, `>${to}`]) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      widest = Math.max(widest, counts.get(key));
    }
  }
  return widest;
}

/**
 * The box around what is laid out. A subflow's first and last node stand on its border, as its doors: in the middle
 * of its sides, if that does not take too much room, so that edges come in straight.
 */
function boxAround(laid, { id, end, room }, turned) {
  const doors = [id, end].map((door) => laid.nodes.find((node) => node.id === door)?.width ?? 0);
  const [first, last] = [laid.at.get(id), laid.at.get(end)];
  const inner = laid.width - (doors[0] + doors[1]) / 2;
  const width = turned ? inner : Math.max(inner, room); // turned, the heading stands beside the way in
  const dx = (width - inner) / 2 - doors[0] / 2;
  const wanted = turned ? Math.max(0, room - laid.height) / 2 : 0;
  let [above, below] = [Math.max(PADDING, wanted) + (turned ? 0 : HEADING - PADDING), Math.max(PADDING, wanted)];
  const door = first?.y ?? laid.height / 2;
  const missing = above + door - (below + laid.height - door);
  if (missing > 0) below += Math.min(missing, MOST_FOR_DOORS);
  else above += Math.min(-missing, MOST_FOR_DOORS);
  const [height, dy] = [above + laid.height + below, above];
  if (first) first.x = -dx;
  if (last) last.x = width - dx;
  return { laid, dx, dy, width, height };
}

/** Note where everything in a box stands in the whole. */
function put({ laid, dx, dy }, scopes, scope, left, top, placed) {
  const [x0, y0] = [left + dx, top + dy];
  placed.scopes.set(scope, { laid, x0, y0 });
  for (const { id, at, width, height } of laid.blocks) {
    placed.blocks.set(id, { x: x0 + at.x - width / 2, y: y0 + at.y - height / 2, width, height });
  }
  for (const { id, width, height } of laid.nodes) {
    const at = laid.at.get(id);
    const place = { x: x0 + at.x - width / 2, y: y0 + at.y - height / 2, width, height };
    const box = scopes.get(scope).boxes.get(id);
    if (!box) placed.nodes.set(id, place);
    else {
      placed.groups.set(id, place);
      put(box, scopes, id, place.x, place.y, placed);
    }
  }
}

/** How an edge gets through its box: where it leaves its first column, its lanes, where it enters its last. */
function wayOf({ laid, x0, y0 }, { from, to, back }) {
  const half = (x) => laid.halves.get(Math.round(x)) ?? 0;
  const middle = (id) => laid.blocks.find((block) => block.id === id)?.at ?? laid.at.get(id);
  const [one, other] = [middle(from), middle(to)];
  const [right, left] = [x0 + one.x + half(one.x), x0 + other.x - half(other.x)];
  if (back) {
    const lane = laid.backs.indexOf(`${from}-${to}`) % BACK.lanes;
    const y = y0 + laid.content + BACK.gap + lane * BACK.lane;
    return { leave: right + BACK.stub, enter: left - BACK.stub, around: y };
  }
  const lanes = (laid.lanes.get(`${from}-${to}`) ?? []).map(({ x, y }) => ({
    left: x0 + x - half(x),
    right: x0 + x + half(x),
    y: y0 + y,
  }));
  return { leave: right, enter: left, lanes };
}
