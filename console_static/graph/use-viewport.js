/** Pan and zoom of a graph: by pointer, wheel, fingers. What is drawn is moved as a whole, and not drawn again. */

import { useEffect, useLayoutEffect, useMemo, useRef } from "../vendor/preact.js";
import { READABLE, centred, first, fitted, isInSight, pinched, zoomed } from "./viewport.js";

/** Pixels that a pointer may stray while it clicks. */
const STRAY = 4;
const GLIDE_MS = 250;
/** Pixels that buttons and legend cover of the pane. */
const COVERED = { top: 40, bottom: 32 };

/**
 * @param {{width: number, height: number}|null} graph how large all is; null: not known yet
 * @param {() => void} onMoved people have moved the view
 * @returns {{svg: object, layer: object, actions: object}} references for the picture and for what moves in it
 */
export function useViewport(graph, onMoved) {
  const [svg, layer] = [useRef(null), useRef(null)];
  const current = useRef(null);
  current.current ??= { view: null, graph: null, isFitted: false, glide: 0 };
  current.current.onMoved = onMoved;
  current.current.graph = graph;
  const actions = useMemo(() => makeActions(svg, layer, current.current), []);
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

function makeActions(svg, layer, state) {
  const pane = () => ({ width: svg.current.clientWidth || 1, height: svg.current.clientHeight || 1, ...COVERED });

  function apply() {
    if (!state.view || !layer.current) return;
    const { x, y, k } = state.view;
    layer.current.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
    svg.current.classList.toggle("far", k < READABLE);
  }
  function show(view, isFitted = false) {
    cancelAnimationFrame(state.glide);
    Object.assign(state, { view, isFitted });
    apply();
  }
  function glideTo(view) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return show(view);
    const [from, begun] = [state.view, performance.now()];
    const step = (time) => {
      const share = Math.min(1, Math.max(0, (time - begun) / GLIDE_MS));
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
    fit: () => state.graph && show(fitted(state.graph, pane()), true),
    /** What is shown before anybody has moved it. */
    begin(place) {
      const view = first(state.graph, pane(), place);
      show(view, view.k === fitted(state.graph, pane()).k);
    },
    /** Bring a place into sight, unless it is there. */
    reveal(place) {
      if (state.view && !isInSight(state.view, place, pane())) {
        glideTo(centred({ ...state.view, k: Math.max(state.view.k, READABLE) }, place, pane()));
      }
    },
    /** Keep what stands at one place of the graph where it is on the screen, now that it stands at another. */
    hold: (before, after) => {
      const { x, y, k } = state.view;
      show({ k, x: x + (before.x - after.x) * k, y: y + (before.y - after.y) * k });
    },
    zoomBy(factor, at = middle()) {
      if (!state.view) return;
      show(zoomed(state.view, factor, at));
      state.onMoved();
    },
    panBy(dx, dy) {
      if (!state.view) return;
      show({ ...state.view, x: state.view.x + dx, y: state.view.y + dy });
      state.onMoved();
    },
    pinch(before, after) {
      if (!state.view) return;
      show(pinched(state.view, before, after));
      state.onMoved();
    },
  };
}

/** Listen to pointers and to the wheel; what it returns stops that. */
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
    if (!moved && Math.hypot(after.x - before.x, after.y - before.y) < STRAY) return;
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
    if (moved) event.stopImmediatePropagation(); // the end of a drag is no click
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
