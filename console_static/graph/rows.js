/**
 * Breaks a long layout into rows, like a text into lines, so that a chain of many steps can be read without
 * going far to the side. Pure. Lengths run along the flow, in pixels.
 *
 * A layout is broken only where a single edge crosses: that edge leads on to the next row, and no other is
 * torn.
 */

/** Layouts up to this length stay one row: in most windows they can be read as a whole. */
const LONGEST_ROW = { LR: 2600, TB: 1500 };
/** The intended ratio of the length of the rows to their height together. */
const ASPECT = { LR: 2, TB: 0.8 };
/** A layout is broken if it then needs this much less room in a pane of that ratio. */
const LEAST_GAIN = 1.25;
const ROW_GAP = 52;
/** The space before all rows but the first, and behind all but the last, for the edges between them. */
const INDENT = 44;

/**
 * @typedef {object} Row
 * @property {number} right its end
 * @property {number} lane the y of the edges in the gap below it
 *
 * @typedef {object} Broken
 * @property {number} width
 * @property {number} height
 * @property {Row[]} rows
 * @property {Map<number, number>} rowOf by id of a node
 * @property {(x: number) => {row: number, dx: number, dy: number}} shift how far what stands at x moves
 */

/**
 * Break a layout into rows.
 * @param {import("./flat-layout.js").Flat} flat
 * @param {import("./flat-layout.js").Laid} laid
 * @param {object} options
 * @param {"LR"|"TB"} options.orientation
 * @param {number} options.lanes the height of the lanes of back edges in each gap
 * @returns {Broken|null} null: it stays one row
 */
export function breakIntoRows(flat, laid, { orientation, lanes }) {
  if (laid.width <= LONGEST_ROW[orientation]) return null;
  const parts = splitAtSingleEdges(flat, laid);
  const gap = ROW_GAP + lanes;
  const area = parts.reduce(
    (sum, part) => sum + (part.right - part.left) * (part.bottom - part.top + gap),
    0,
  );
  const length = Math.max(LONGEST_ROW[orientation] * 0.8, Math.sqrt(area * ASPECT[orientation]));
  const rows = fillRows(parts, length);
  if (rows.length === 1) return null;
  const broken = stackRows(rows, gap, lanes);
  const size = ({ width, height }) => Math.max(width, height * ASPECT[orientation]);
  if (size(broken) * LEAST_GAIN > size(laid)) return null;
  const find = (x) =>
    Math.max(
      0,
      rows.findLastIndex((row) => x >= row.left),
    );
  return {
    ...broken,
    rowOf: new Map(flat.nodes.map(({ id }) => [id, find(laid.at.get(id).x)])),
    shift(x) {
      const row = find(x);
      return { row, dx: rows[row].dx, dy: rows[row].dy };
    },
  };
}

/** Split a layout into parts, each of which a single edge connects to the next. */
function splitAtSingleEdges({ nodes, edges }, { at, lanes }) {
  const boxes = nodes.map(({ id, width, height }) => {
    const { x, y } = at.get(id);
    return { id, left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
  });
  for (const points of lanes.values())
    for (const { x, y } of points) boxes.push({ id: -1, left: x, right: x, top: y - 5, bottom: y + 5 });
  boxes.sort((one, other) => one.left - other.left);
  const columns = [];
  const columnOf = new Map();
  for (const box of boxes) {
    const last = columns.at(-1);
    if (last && box.left <= last.right) unite(last, box);
    else columns.push({ ...box });
    if (box.id >= 0) columnOf.set(box.id, columns.length - 1);
  }
  // The changes of the number of edges that cross the gap behind a column.
  const changes = new Int32Array(columns.length + 1);
  for (const [from, to] of edges) {
    changes[columnOf.get(from)] += 1;
    changes[columnOf.get(to)] -= 1;
  }
  const parts = [];
  let [crossing, isNew] = [0, true];
  for (const [place, column] of columns.entries()) {
    if (isNew) parts.push({ ...column });
    else unite(parts.at(-1), column);
    crossing += changes[place];
    isNew = crossing === 1;
  }
  return parts;
}

function unite(one, { right, top, bottom }) {
  one.right = Math.max(one.right, right);
  one.top = Math.min(one.top, top);
  one.bottom = Math.max(one.bottom, bottom);
}

/** Fill rows with parts up to a length. */
function fillRows(parts, length) {
  const rows = [];
  for (const part of parts) {
    const row = rows.at(-1);
    if (row && part.right - row.left <= length) unite(row, part);
    else rows.push({ ...part });
  }
  return rows;
}

/** Set how far each row moves. */
function stackRows(rows, gap, lanes) {
  let [y, width] = [0, 0];
  const placed = rows.map((row, place) => {
    row.dx = (place ? INDENT : 0) - row.left;
    row.dy = y - row.top;
    y += row.bottom - row.top + gap;
    const right = row.right + row.dx;
    width = Math.max(width, right + (place < rows.length - 1 ? INDENT : 0));
    return { right, lane: y - gap + ROW_GAP / 2 };
  });
  return { rows: placed, width, height: y - gap + (lanes ? ROW_GAP / 2 : 0) };
}
