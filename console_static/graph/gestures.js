/**
 * Pointers, fingers and the wheel over a graph.
 *
 * The wheel zooms a graph that has the focus, or with Ctrl or Meta; else it scrolls the page, if that
 * scrolls at all. Maps in pages do the same (`gestureHandling: "auto"` of the Google Maps JavaScript API).
 */

/** Pixels that a pointer may move during a click. */
const CLICK_TOLERANCE = 4;

/** Return whether the wheel belongs to the picture and not to the page. */
function isForPicture(event, svg) {
  if (event.ctrlKey || event.metaKey || svg.contains(document.activeElement)) return true;
  const page = document.documentElement;
  return page.scrollHeight <= page.clientHeight + 1;
}

/**
 * Listen to pointers and wheel.
 * @param {any} svg the picture
 * @param {any} actions of use-viewport.js
 * @param {() => void} onWheelUnused called when the wheel scrolls the page
 * @returns {() => void} ends this
 */
export function listen(svg, actions, onWheelUnused) {
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
    if (!isForPicture(event, svg)) return onWheelUnused();
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
