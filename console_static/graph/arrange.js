/**
 * Computes the positions of nodes, boxes and edges. Pure.
 *
 * Each box is laid out by itself, the innermost first, and is then one node of its surroundings. So every
 * layout is flat, and a box is no larger than its content. Layouts run from left to right; for graphs from
 * top to bottom, x and y are swapped before and after.
 */

import { bundleFans, placeNodes } from "./bundles.js";
import { drawEdge } from "./edge-paths.js";
import { breakIntoRows } from "./rows.js";

/** Pixels around the graph, around the content of a box, and of the heading of a box. */
const MARGIN = 24;
const PADDING = 14;
const HEADING = 28;

/** Pixels that a box may grow so that its doors are in the middle of its sides. */
const MAX_DOOR_SHIFT = 60;

/** Pixels between layers, added for wide fans at most, and between the nodes of a layer. */
const LAYER_GAP = 44;
const MAX_FAN_GAP = 96;
const NODE_GAP = 18;

/** Back edges run around the content of their box, each in a lane of its own. */
const BACK_EDGE = { gap: 18, lane: 9, lanes: 8, stub: 12 };

/**
 * @typedef {object} Arranged
 * @property {number} width
 * @property {number} height
 * @property {Map<number, {x: number, y: number}>} nodes by id: the upper left corner
 * @property {Map<number, {x: number, y: number, width: number, height: number}>} groups by id
 * @property {{x: number, y: number, width: number, height: number}[]} blocks behind the nodes of wide fans
 * @property {string[]} edges the paths of the edges, in the order of the graph; "" for an edge of a wide
 *   fan that another edge represents
 */

/**
 * Compute the positions of a graph. `layoutFlat` lays out the content of one box.
 * @param {import("./graph-model.js").GraphToDraw} graph
 * @param {(flat: import("./flat-layout.js").Flat, gaps: object) => import("./flat-layout.js").Laid}
 *   layoutFlat
 * @returns {Arranged}
 */
export function arrangeGraph(graph, layoutFlat) {
  const isVertical = graph.orientation === "TB";
  const { scopes, lifted } = groupByScope(graph, isVertical);
  for (const group of [...graph.groups].reverse()) {
    const laid = layoutScope(scopes.get(group.id), graph.orientation, layoutFlat);
    const box = buildBox(laid, group, isVertical);
    const outer = scopes.get(group.scope);
    outer.nodes.push({ id: group.id, width: box.width, height: box.height });
    outer.boxes.set(group.id, box);
  }
  const whole = { laid: layoutScope(scopes.get(-1), graph.orientation, layoutFlat), dx: MARGIN, dy: MARGIN };
  const placement = { nodes: new Map(), groups: new Map(), scopes: new Map(), blocks: new Map() };
  placeScope(whole, scopes, -1, 0, 0, placement);
  const edges = graph.edges.map((edge, place) => {
    const scope = placement.scopes.get(lifted[place].scope);
    const source = findEnd(edge.from, scope.laid, placement);
    const target = findEnd(edge.to, scope.laid, placement);
    if (source === null || target === null) return "";
    return drawEdge(source, target, routeEdge(scope, lifted[place]), isVertical);
  });
  const { width, height } = whole.laid;
  const size = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
  const turn = isVertical ? transpose : (place) => place;
  const turnAll = (places) => new Map([...places].map(([id, place]) => [id, turn(place)]));
  return {
    ...turn({ x: 0, y: 0, ...size }),
    nodes: turnAll(placement.nodes),
    groups: turnAll(placement.groups),
    blocks: [...turnAll(placement.blocks).values()],
    edges,
  };
}

/** Return the rectangle at an end of an edge: the node, or the block if the node is its first; else null. */
function findEnd(id, laid, placement) {
  const block = laid.blockOf.get(id);
  if (block === undefined) return placement.nodes.get(id);
  return block === id ? placement.blocks.get(id) : null;
}

const transpose = ({ x, y, width, height }) => ({ x: y, y: x, width: height, height: width });

/**
 * Group nodes and edges by box, or -1. Lift each edge to the innermost box that contains both ends: there it
 * connects nodes or inner boxes.
 */
function groupByScope(graph, isVertical) {
  const scopes = new Map([[-1, createScope()]]);
  const around = new Map();
  for (const group of graph.groups) {
    scopes.set(group.id, createScope());
    around.set(group.id, group.scope);
  }
  const scopeOf = new Map();
  for (const { id, scope, width, height } of graph.nodes) {
    const size = isVertical ? { width: height, height: width } : { width, height };
    scopes.get(scope).nodes.push({ id, isStep: true, ...size });
    scopeOf.set(id, scope);
  }
  const lifted = graph.edges.map((edge) => liftEdge(edge, scopeOf, around));
  for (const { scope, from, to, back } of lifted) {
    const within = scopes.get(scope);
    if (back) within.backs.push(`${from}-${to}`);
    else within.edges.set(`${from}-${to}`, [from, to]);
  }
  return { scopes, lifted };
}

const createScope = () => ({ nodes: [], boxes: new Map(), edges: new Map(), backs: [] });

function liftEdge({ from, to, back }, scopeOf, around) {
  if (scopeOf.get(from) === scopeOf.get(to)) return { scope: scopeOf.get(from), from, to, back };
  const scopesOfSource = new Map(walkOutwards(from, scopeOf, around));
  for (const [scope, id] of walkOutwards(to, scopeOf, around)) {
    if (scopesOfSource.has(scope)) return { scope, from: scopesOfSource.get(scope), to: id, back };
  }
  throw new Error(`no box holds both ${from} and ${to}`);
}

/**
 * Yield the boxes around a node from the inside out, each with its member that contains the node.
 * @returns {Generator<[number, number]>}
 */
function* walkOutwards(id, scopeOf, around) {
  let [scope, inside] = [scopeOf.get(id), id];
  while (scope !== -1) {
    yield [scope, inside];
    [scope, inside] = [around.get(scope), scope];
  }
  yield [-1, inside];
}

/** Lay out the nodes of one box, from 0, 0, with the columns, rows and lanes for its edges. */
function layoutScope(scope, orientation, layoutFlat) {
  const nodes = [...scope.nodes].sort((one, other) => one.id - other.id);
  const { flat, blocks } = bundleFans({ nodes, edges: [...scope.edges.values()] });
  const layers = LAYER_GAP + Math.min(MAX_FAN_GAP, Math.max(0, countWidestFan(flat.edges) - 6) * 2);
  const laid = layoutFlat(flat, { layers, nodes: NODE_GAP });
  const columns = measureColumns(flat, laid);
  const backLanes = Math.min(scope.backs.length, BACK_EDGE.lanes);
  const below = backLanes ? BACK_EDGE.gap + (backLanes - 1) * BACK_EDGE.lane : 0;
  const broken = breakIntoRows(flat, laid, { orientation, lanes: below });
  const one = { rows: [{ right: laid.width, lane: laid.height + BACK_EDGE.gap }], rowOf: new Map() };
  const { rows, rowOf } = broken ?? one;
  const move = ({ x, y }) => {
    const { dx, dy } = broken?.shift(x) ?? { dx: 0, dy: 0 };
    return { x: x + dx, y: y + dy };
  };
  const at = new Map([...laid.at].map(([id, point]) => [id, move(point)]));
  const blockOf = new Map();
  for (const block of blocks) {
    block.at = at.get(block.id);
    for (const [id, place] of placeNodes(block, block.at)) {
      at.set(id, place);
      blockOf.set(id, block.id);
    }
  }
  return {
    at,
    lanes: new Map(
      [...columns.lanes].map(([key, lanes]) => [key, lanes.map((lane) => moveLane(lane, move))]),
    ),
    halves: columns.halves,
    rows,
    rowOf,
    nodes,
    blocks,
    blockOf,
    width: broken?.width ?? laid.width,
    height: (broken?.height ?? laid.height) + below,
    backs: scope.backs,
  };
}

/**
 * Return, by id, half the width of the column of a node; and the lanes of edges, each as wide as its column.
 */
function measureColumns(flat, laid) {
  const widths = new Map();
  for (const { id, width } of flat.nodes) {
    const column = Math.round(laid.at.get(id).x);
    widths.set(column, Math.max(widths.get(column) ?? 0, width / 2));
  }
  const half = (x) => widths.get(Math.round(x)) ?? 0;
  const lanes = new Map();
  for (const [key, points] of laid.lanes)
    lanes.set(
      key,
      points.map(({ x, y }) => ({ x, y, half: half(x) })),
    );
  const halves = new Map();
  for (const { id } of flat.nodes) halves.set(id, half(laid.at.get(id).x));
  return { halves, lanes };
}

const moveLane = (lane, move) => ({ ...move(lane), half: lane.half });

function countWidestFan(edges) {
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
 * Build the box around a layout. The first and last node of a subflow are its doors: they stand on its
 * border, in the middle of the sides if the box need not grow much, so that edges enter straight.
 */
function buildBox(laid, { id, end, room }, isVertical) {
  const doors = [id, end].map((door) => laid.nodes.find((node) => node.id === door)?.width ?? 0);
  const [first, last] = [laid.at.get(id), laid.at.get(end)];
  const inner = laid.width - (doors[0] + doors[1]) / 2;
  // If vertical, the heading stands beside the entrance.
  const width = isVertical ? inner : Math.max(inner, room);
  const dx = (width - inner) / 2 - doors[0] / 2;
  const minimum = isVertical ? Math.max(0, room - laid.height) / 2 : 0;
  let [above, below] = [
    Math.max(PADDING, minimum) + (isVertical ? 0 : HEADING - PADDING),
    Math.max(PADDING, minimum),
  ];
  const door = first?.y ?? laid.height / 2;
  const missing = above + door - (below + laid.height - door);
  if (missing > 0) below += Math.min(missing, MAX_DOOR_SHIFT);
  else above += Math.min(-missing, MAX_DOOR_SHIFT);
  const [height, dy] = [above + laid.height + below, above];
  if (first) first.x = -dx;
  if (last) last.x = width - dx;
  return { laid, dx, dy, width, height };
}

/** Record the absolute positions of everything in a box. */
function placeScope({ laid, dx, dy }, scopes, scope, left, top, placement) {
  const [x0, y0] = [left + dx, top + dy];
  placement.scopes.set(scope, { laid, x0, y0 });
  for (const { id, at, width, height } of laid.blocks) {
    placement.blocks.set(id, { x: x0 + at.x - width / 2, y: y0 + at.y - height / 2, width, height });
  }
  for (const { id, width, height } of laid.nodes) {
    const at = laid.at.get(id);
    const place = { x: x0 + at.x - width / 2, y: y0 + at.y - height / 2, width, height };
    const box = scopes.get(scope).boxes.get(id);
    if (!box) placement.nodes.set(id, place);
    else {
      placement.groups.set(id, place);
      placeScope(box, scopes, id, place.x, place.y, placement);
    }
  }
}

/**
 * Route an edge through its box: the end of its first column, its lanes, the start of its last column. An
 * edge to an earlier step or to another row runs below its row, and to a row that is not the next one
 * beside all rows.
 */
function routeEdge({ laid, x0, y0 }, { from, to, back }) {
  const middle = (id) => laid.blocks.find((block) => block.id === id)?.at ?? laid.at.get(id);
  const half = (id) => laid.halves.get(id) ?? 0;
  const [right, left] = [x0 + middle(from).x + half(from), x0 + middle(to).x - half(to)];
  const [row, nextRow] = [laid.rowOf.get(from) ?? 0, laid.rowOf.get(to) ?? 0];
  if (back) {
    const lane = (laid.backs.indexOf(`${from}-${to}`) % BACK_EDGE.lanes) * BACK_EDGE.lane;
    const route = {
      leave: right + BACK_EDGE.stub,
      enter: left - BACK_EDGE.stub,
      around: y0 + laid.rows[row].lane + lane,
    };
    if (row === nextRow) return route;
    return { ...route, beside: x0 + BACK_EDGE.stub + lane / 2, then: y0 + laid.rows[nextRow].lane + lane };
  }
  if (row !== nextRow) {
    const around = y0 + laid.rows[row].lane;
    return { leave: x0 + laid.rows[row].right + BACK_EDGE.stub, enter: left - BACK_EDGE.stub, around };
  }
  const lanes = (laid.lanes.get(`${from}-${to}`) ?? []).map((lane) => ({
    left: x0 + lane.x - lane.half,
    right: x0 + lane.x + lane.half,
    y: y0 + lane.y,
  }));
  return { leave: right, enter: left, lanes };
}
