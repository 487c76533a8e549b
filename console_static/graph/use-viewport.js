/**
 * Pan and zoom of a graph by pointer, wheel and fingers. The drawn layer moves as a whole, without rendering.
 */

import { useEffect, useLayoutEffect, useMemo, useRef } from "../vendor/preact.js";
import { READABLE_ZOOM, centerOn, initialView, fitView, isVisible, pinch, zoomAt } from "./viewport.js";

/** Pixels that a pointer may move during a click. */
const CLICK_TOLERANCE = 4;
const ANIMATION_MS = 250;
/** Pixels of the pane that the toolbar and the legend cover. */
const OVERLAY_HEIGHTS = { top: 40, bottom: 32 };

/**
 * Let people pan and zoom a picture. `actions` change its view.
 * @param {{width: number, height: number}|null} graph its size; null: not laid out yet
 * @param {() => void} onMoved called when a person moves the view
 * @returns {{svg: any, layer: any, actions: any}} references to the picture and its moving layer
 */
export function useViewport(graph, onMoved) {
  const [svg, layer] = [useRef(null), useRef(null)];
  const current = useRef(null);
  current.current ??= { view: null, graph: null, isFitted: false, glide: 0 };
  current.current.onMoved = onMoved;
  current.current.graph = graph;
  const actions = useMemo(() => createActions(svg, layer, current.current), []);
  useLayoutEffect(() => actions.apply(), [graph]);
  useEffect(() => {
    const observer = new ResizeObserver(() => current.current.isFitted && actions.fit());
    observer.observe(svg.current);
    const stop = listen(svg.current, actions);
    return () => {
      observer.disconnect();
      cancelAnimationFrame(current.current.glide);
      stop();
    };
  }, []);
  return { svg, layer, actions };
}

function createActions(svg, layer, state) {
  const pane = () => ({
    width: svg.current.clientWidth || 1,
    height: svg.current.clientHeight || 1,
    ...OVERLAY_HEIGHTS,
  });

  function apply() {
    if (!state.view || !layer.current) return;
    const { x, y, k } = state.view;
    layer.current.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
    svg.current.classList.toggle("far", k < READABLE_ZOOM);
  }
  function show(view, isFitted = false) {
    cancelAnimationFrame(state.glide);
    Object.assign(state, { view, isFitted });
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
      apply();
      if (share < 1) state.glide = requestAnimationFrame(step);
    };
    cancelAnimationFrame(state.glide);
    state.isFitted = false;
    state.glide = requestAnimationFrame(step);
  }
  const middle = () => ({ x: pane().width / 2, y: pane().height / 2 });
  return {
    apply,
    get view() {
      return state.view;
    },
    fit: () => state.graph && show(fitView(state.graph, pane()), true),
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
    /** Keep a node at its place on the screen although the layout has moved it. */
    hold: (before, after) => {
      const { x, y, k } = state.view;
      show({ k, x: x + (before.x - after.x) * k, y: y + (before.y - after.y) * k });
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

/** Listen to pointers and wheel. Return a function that ends this. */
function listen(svg, actions) {
  const pointers = new Map();
  let moved = false;
  const at = (event) => {
    const { left, top } = svg.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const down = (event) => {
    if (event.pointerType === "mouse" && event.button > 1) return;
    if (!pointers.size) moved = false;
    pointers.set(event.pointerId, at(event));
  };
  const move = (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const after = at(event);
    if (!moved && Math.hypot(after.x - before.x, after.y - before.y) < CLICK_TOLERANCE) return;
    if (!moved) svg.setPointerCapture(event.pointerId);
    moved = true;
    const fingers = [...pointers.values()].slice(0, 2);
    pointers.set(event.pointerId, after);
    if (pointers.size > 1) actions.pinch(fingers, [...pointers.values()].slice(0, 2));
    else actions.panBy(after.x - before.x, after.y - before.y);
    svg.classList.add("dragged");
  };
  const up = (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) svg.classList.remove("dragged");
  };
  const click = (event) => {
    if (moved) event.stopImmediatePropagation(); // a drag ends with a click event
    moved = false;
  };
  const wheel = (event) => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.shiftKey) return actions.panBy(-(event.deltaX || event.deltaY) * lines, 0);
    const speed = event.ctrlKey ? 0.01 : 0.0016;
    return actions.zoomBy(Math.exp(-event.deltaY * lines * speed), at(event));
  };
  const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, wheel };
  for (const [name, act] of Object.entries(listeners)) svg.addEventListener(name, act, { passive: false });
  svg.addEventListener("click", click, { capture: true });
  return () => {
    for (const [name, act] of Object.entries(listeners)) svg.removeEventListener(name, act);
    svg.removeEventListener("click", click, { capture: true });
  };
}
