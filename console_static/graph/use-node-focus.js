/** The focus on the nodes of a graph, which come into the document and leave it as the view moves. */

import { useLayoutEffect, useState } from "../vendor/preact.js";

/**
 * Return the index that has or last had the focus, and a function that moves the focus to another one,
 * whether it is in the document yet or not. `isSilent`: it only becomes the one to which Tab leads.
 * @param {{current: any}} svg the picture
 * @returns {[number|null, (index: number, options?: {isSilent?: boolean}) => void]}
 */
export function useNodeFocus(svg) {
  const [target, setTarget] = useState({ index: null, isSilent: true });
  const focus = (index) =>
    svg.current.querySelector(`.node[data-index="${index}"]`)?.focus({ preventScroll: true });
  useLayoutEffect(() => {
    if (!target.isSilent) focus(target.index);
  }, [target]);
  // Rendering moves nodes within the document, and what is moved loses the focus.
  const picture = svg.current;
  const before = picture?.contains(document.activeElement) ? document.activeElement : null;
  useLayoutEffect(() => {
    if (before && document.activeElement === document.body) focus(before.getAttribute("data-index"));
  });
  return [target.index, (index, { isSilent = false } = {}) => setTarget({ index, isSilent })];
}
