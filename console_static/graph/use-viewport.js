/**
 * The view of a graph: what moves it, and who follows it. The drawn layer moves as a whole, without
 * rendering.
 */

import { useEffect, useLayoutEffect, useMemo, useRef } from "../vendor/preact.js";
import { listen } from "./gestures.js";
import { READABLE_ZOOM, centerOn, initialView, fitView, isVisible, pinch, zoomAt } from "./viewport.js";

const ANIMATION_MS = 250;
/** The least zoom at a step that somebody has searched. */
const GOOD_ZOOM = 0.8;

/**
 * Let people pan and zoom a picture. `actions` change its view.
 * @param {{width: number, height: number}|null} graph its size; null: not laid out yet
 * @param {object} handlers
 * @param {() => void} handlers.onMoved called when a person moves the view
 * @param {() => void} handlers.onWheelUnused called when the wheel scrolls the page
 * @returns {{svg: any, layer: any, actions: any}} references to the picture and its moving layer
 */
export function useViewport(graph, handlers) {
  const [svg, layer] = [useRef(null), useRef(null)];
  const current = useRef(null);
  current.current ??= {
    view: null,
    graph: null,
    isFitted: false,
    glide: 0,
    goal: null,
    watchers: new Set(),
    pane: null,
  };
  Object.assign(current.current, handlers);
  current.current.graph = graph;
  const actions = useMemo(() => createActions(svg, layer, current.current), []);
  useLayoutEffect(() => actions.apply(), [graph]);
  useEffect(() => {
    const observer = new ResizeObserver(() => actions.resize());
    observer.observe(svg.current);
    const stop = listen(svg.current, actions, () => current.current.onWheelUnused());
    return () => {
      observer.disconnect();
      cancelAnimationFrame(current.current.glide);
      stop();
    };
  }, []);
  return { svg, layer, actions };
}

function createActions(svg, layer, state) {
  const measure = () => ({ width: svg.current.clientWidth || 1, height: svg.current.clientHeight || 1 });
  const pane = () => (state.pane ??= measure());

  function apply() {
    if (!state.view || !layer.current) return;
    const { x, y, k } = state.view;
    layer.current.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
    svg.current.classList.toggle("far", k < READABLE_ZOOM);
    for (const watcher of state.watchers) watcher(state.view, pane());
  }
  function show(view, isFitted = false) {
    cancelAnimationFrame(state.glide);
    Object.assign(state, { view, isFitted, goal: null });
    apply();
  }
  function animateTo(view) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return show(view);
    const [from, startedAt] = [state.view, performance.now()];
    const step = (time) => {
      const share = Math.min(1, Math.max(0, (time - startedAt) / ANIMATION_MS));
      const ease = 1 - (1 - share) ** 3;
      const at = (name) => from[name] + (view[name] - from[name]) * ease;
      state.view = { x: at("x"), y: at("y"), k: at("k") };
      if (share === 1) return show(view);
      apply();
      state.glide = requestAnimationFrame(step);
      return undefined;
    };
    cancelAnimationFrame(state.glide);
    Object.assign(state, { isFitted: false, goal: view });
    state.glide = requestAnimationFrame(step);
  }
  const middle = () => ({ x: pane().width / 2, y: pane().height / 2 });
  return {
    apply,
    get view() {
      return state.view;
    },
    /** Call a function after each change of the view, with the view and the size of the pane; and at once. */
    watch(watcher) {
      state.watchers.add(watcher);
      if (state.view) watcher(state.view, pane());
      return () => state.watchers.delete(watcher);
    },
    fit: () => state.graph && show(fitView(state.graph, pane()), true),
    /** Fit the picture into a pane of another size, or keep what is in its middle there. */
    resize() {
      const before = pane();
      state.pane = measure();
      const [dx, dy] = [(state.pane.width - before.width) / 2, (state.pane.height - before.height) / 2];
      if (!state.view || (!dx && !dy)) return;
      const shift = ({ x, y, k }) => ({ x: x + dx, y: y + dy, k });
      if (state.isFitted) this.fit();
      else if (state.goal) animateTo(shift(state.goal));
      else show(shift(state.view));
    },
    /** Return whether the whole graph can be read at once. */
    isSmall: () => fitView(state.graph, pane()).k >= READABLE_ZOOM,
    /** Show the first view. */
    begin(rectangle) {
      const view = initialView(state.graph, pane(), rectangle);
      show(view, view.k === fitView(state.graph, pane()).k);
    },
    /** Make a rectangle visible if it is not. */
    reveal(rectangle) {
      if (state.view && !isVisible(state.view, rectangle, pane())) {
        animateTo(centerOn({ ...state.view, k: Math.max(state.view.k, READABLE_ZOOM) }, rectangle, pane()));
      }
    },
    /** Glide to a rectangle, so near that it can be read. */
    goTo(rectangle) {
      const k = Math.max(state.view?.k ?? 1, GOOD_ZOOM);
      if (state.view) animateTo(centerOn({ ...state.view, k }, rectangle, pane()));
    },
    /** Bring a point of the graph into the middle. */
    center(point) {
      if (state.view) show(centerOn(state.view, { ...point, width: 0, height: 0 }, pane()));
      state.onMoved();
    },
    /** Keep a node at its place on the screen although the layout has moved it. */
    hold: (before, after) => {
      const { x, y, k } = state.view;
      show({ k, x: x + (before.x - after.x) * k, y: y + (before.y - after.y) * k });
    },
    /** Show the graph in its own size. */
    zoomToFull() {
      if (state.view) this.zoomBy(1 / state.view.k);
    },
    zoomBy(factor, at = middle()) {
      if (!state.view) return;
      show(zoomAt(state.view, factor, at));
      state.onMoved();
    },
    panBy(dx, dy) {
      if (!state.view) return;
      show({ ...state.view, x: state.view.x + dx, y: state.view.y + dy });
      state.onMoved();
    },
    pinch(before, after) {
      if (!state.view) return;
      show(pinch(state.view, before, after));
      state.onMoved();
    },
  };
}
