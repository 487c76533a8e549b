// Keyboard shortcuts.

import { useLayoutEffect, useRef } from "../vendor/preact.js";

/** Call the handler of a key (`handlers` by `event.key`) when it is pressed outside of fields and dialogs. */
export function useKeys(handlers) {
  const latest = useRef(handlers);
  latest.current = handlers;
  // A layout effect runs before the page is painted, so that no early key press is lost.
  useLayoutEffect(() => {
    const handleKey = (event) => {
      const isTyping = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      const handler = latest.current[event.key];
      if (handler) {
        event.preventDefault();
        handler();
      }
    };
    addEventListener("keydown", handleKey);
    return () => removeEventListener("keydown", handleKey);
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
