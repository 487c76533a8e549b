// Keyboard shortcuts.

import { useLayoutEffect, useRef } from "../vendor/preact.js";

/**
 * Call the handler of a key when it is pressed outside of fields and dialogs.
 * @param {Object<string, () => void>} handlers by `event.key`
 * @param {object} [options]
 * @param {boolean} [options.comesFirst] whether others that listen to the same key, such as the shell, do
 *   not get it
 */
export function useKeys(handlers, { comesFirst = false } = {}) {
  const latest = useRef(handlers);
  latest.current = handlers;
  // A layout effect runs before the page is painted, so that no early key press is lost.
  useLayoutEffect(() => {
    const handleKey = (event) => {
      const isTyping = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
      if (isTyping || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const handler = latest.current[event.key];
      if (handler) {
        event.preventDefault();
        handler();
      }
    };
    addEventListener("keydown", handleKey, comesFirst);
    return () => removeEventListener("keydown", handleKey, comesFirst);
  }, []);
}

/** Let j and k move the focus between the rows of a list. Enter opens a row because it is a link. */
export function useRowKeys() {
  const moveFocus = (step) => {
    /** @type {HTMLElement[]} */
    const links = [...document.querySelectorAll(".row-link")].filter((link) => link instanceof HTMLElement);
    const at = links.findIndex((link) => link === document.activeElement);
    links[Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
  };
  useKeys({ j: () => moveFocus(1), k: () => moveFocus(-1) });
}
