// Keys, for people who use them.

import { useLayoutEffect, useRef } from "../vendor/preact.js";

/** Keys that work while nobody types. */
export function useKeys(keys) {
  const current = useRef(keys);
  current.current = keys;
  useLayoutEffect(() => { // at once: a key that is pressed as soon as the page is seen is not lost
    const pressed = (event) => {
      const types = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
      if (types || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = current.current[event.key];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

/** j and k go from row to row of the page's list; Enter is the link's own. */
export function useRowKeys() {
  const move = (step) => {
    const links = [...document.querySelectorAll(".row-link")];
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
  };
  useKeys({ j: () => move(1), k: () => move(-1) });
}
