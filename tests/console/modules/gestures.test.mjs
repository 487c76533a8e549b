// Pointers and the wheel over a graph.

import assert from "node:assert/strict";
import { test } from "node:test";

const { listen } = await import(`${process.env.LFR_CONSOLE}/graph/gestures.js`);

/** A picture at 10, 20 in a page of this height; `hasFocus`: whether the focus is in it. */
function pictureIn(pageHeight, { hasFocus = false } = {}) {
  const focused = {};
  globalThis.document = {
    activeElement: focused,
    documentElement: { scrollHeight: pageHeight, clientHeight: 800 },
  };
  globalThis.WheelEvent = { DOM_DELTA_LINE: 1 };
  const done = [];
  const picture = Object.assign(new EventTarget(), {
    contains: (element) => hasFocus && element === focused,
    getBoundingClientRect: () => ({ left: 10, top: 20 }),
    setPointerCapture: () => {},
    classList: { add: () => {}, remove: () => {} },
  });
  const record =
    (name) =>
    (...values) =>
      done.push([name, ...values]);
  const actions = { zoomBy: record("zoom"), panBy: record("pan"), pinch: record("pinch") };
  listen(picture, actions, record("scroll"));
  const send = (type, more) => {
    const event = Object.assign(new Event(type, { cancelable: true }), more);
    picture.dispatchEvent(event);
    return event;
  };
  return { done, send };
}

const turn = { deltaY: 100, deltaX: 0, deltaMode: 0, clientX: 110, clientY: 120 };

test("the wheel scrolls a page that scrolls, until the graph has the focus or Ctrl is held", () => {
  for (const [height, options, keys, name] of [
    [2000, {}, {}, "scroll"],
    [2000, { hasFocus: true }, {}, "zoom"],
    [2000, {}, { ctrlKey: true }, "zoom"],
    [2000, {}, { metaKey: true }, "zoom"],
    [800, {}, {}, "zoom"],
    [2000, { hasFocus: true }, { shiftKey: true }, "pan"],
  ]) {
    const { done, send } = pictureIn(height, options);
    const event = send("wheel", { ...turn, ...keys });
    assert.deepEqual([done.length, done[0][0]], [1, name], JSON.stringify([height, options, keys]));
    assert.equal(event.defaultPrevented, name !== "scroll", "only the page's own scrolling is left to it");
    if (name === "zoom") assert.deepEqual(done[0][2], { x: 100, y: 100 }, "around the pointer");
  }
});

test("a drag pans; a shaky click does not", () => {
  const pointer = { pointerId: 1, pointerType: "mouse", button: 0 };
  const { done, send } = pictureIn(800);
  send("pointerdown", { ...pointer, clientX: 50, clientY: 50 });
  send("pointermove", { ...pointer, clientX: 52, clientY: 50 });
  assert.equal(done.length, 0);
  send("pointermove", { ...pointer, clientX: 80, clientY: 60 });
  assert.deepEqual(done, [["pan", 30, 10]]);
  send("pointerup", pointer);
});
