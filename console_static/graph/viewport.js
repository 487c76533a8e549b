/**
 * What of a graph is seen, and how large: `{x, y, k}`, where a point p of the graph is shown at p * k + (x, y). Pure.
 */

export const LEAST_ZOOM = 0.02;
export const MOST_ZOOM = 2.5;
/** Texts of steps cannot be read below this. */
export const READABLE = 0.45;
const MOST_FIT = 1.1;

/**
 * @typedef {{width: number, height: number, top: number, bottom: number}} Pane where the graph is seen; how much of it
 * is covered at the top and at the bottom
 */

/**
 * All of the graph, as large as it goes, in the middle.
 * @param {{width: number, height: number}} graph
 * @param {Pane} pane
 */
export function fitted(graph, pane) {
  const height = Math.max(1, pane.height - pane.top - pane.bottom);
  const k = clamp(Math.min(pane.width / graph.width, height / graph.height), LEAST_ZOOM, MOST_FIT);
  return { k, x: (pane.width - graph.width * k) / 2, y: pane.top + (height - graph.height * k) / 2 };
}

/**
 * What is shown at first: all, if it can be read then; else, so that it can be read, the surroundings of a place.
 * @param {{width: number, height: number}} graph
 * @param {Pane} pane
 * @param {{x: number, y: number, width: number, height: number}} place
 */
export function first(graph, pane, place) {
  const whole = fitted(graph, pane);
  if (whole.k >= READABLE) return whole;
  return within(centred({ ...whole, k: 0.8 }, place, pane), graph, pane);
}

/** The view with this place in the middle, as large as before. */
export function centred(view, place, pane) {
  const [x, y] = [place.x + place.width / 2, place.y + place.height / 2];
  return { k: view.k, x: pane.width / 2 - x * view.k, y: pane.height / 2 - y * view.k };
}

/** Moved so that no more is empty than has to be. */
function within(view, graph, pane) {
  const side = (at, size, from, to) =>
    size * view.k <= to - from ? from + (to - from - size * view.k) / 2 : clamp(at, to - size * view.k, from);
  return {
    k: view.k,
    x: side(view.x, graph.width, 0, pane.width),
    y: side(view.y, graph.height, pane.top, pane.height - pane.bottom),
  };
}

/** Larger or smaller by a factor; what is at this point of the pane stays there. */
export function zoomed(view, factor, at) {
  const k = clamp(view.k * factor, LEAST_ZOOM, MOST_ZOOM);
  return { k, x: at.x - ((at.x - view.x) * k) / view.k, y: at.y - ((at.y - view.y) * k) / view.k };
}

/** Whether a place is wholly in sight, with a margin. */
export function isInSight(view, place, pane, margin = 12) {
  const [left, top] = [place.x * view.k + view.x, place.y * view.k + view.y];
  const [right, bottom] = [left + place.width * view.k, top + place.height * view.k];
  return left >= margin && top >= margin && right <= pane.width - margin && bottom <= pane.height - margin;
}

/** From two fingers to two fingers: moved and zoomed with them. */
export function pinched(view, before, after) {
  const factor = apart(after) / Math.max(1, apart(before));
  const [from, to] = [between(before), between(after)];
  return zoomed({ ...view, x: view.x + to.x - from.x, y: view.y + to.y - from.y }, factor, to);
}

const apart = ([one, other]) => Math.hypot(one.x - other.x, one.y - other.y);
const between = ([one, other]) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
const clamp = (number, least, most) => Math.min(Math.max(number, least), most);

/**
 * The place next to one in a direction: what an arrow key goes to. Aside counts more than ahead.
 * @param {{id: number, x: number, y: number, width: number, height: number}[]} places
 * @param {number} from id
 * @param {"ArrowLeft"|"ArrowRight"|"ArrowUp"|"ArrowDown"} key
 * @returns {number|undefined} id
 */
export function nextPlace(places, from, key) {
  const start = places.find((place) => place.id === from);
  if (!start) return undefined;
  const [here, best] = [middle(start), { cost: Infinity, id: undefined }];
  for (const place of places) {
    const there = middle(place);
    const [dx, dy] = [there.x - here.x, there.y - here.y];
    const [ahead, aside] = key === "ArrowLeft" || key === "ArrowRight" ? [dx, dy] : [dy, dx];
    const forwards = key === "ArrowRight" || key === "ArrowDown" ? ahead : -ahead;
    if (forwards < 1 || place.id === from) continue;
    const cost = forwards + 3 * Math.abs(aside);
    if (cost < best.cost) Object.assign(best, { cost, id: place.id });
  }
  return best.id;
}

const middle = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 });
