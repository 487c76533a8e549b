// Keys, for people who use them.

import { useEffect, useRef } from "../vendor/preact.js";

/** Keys that work while nobody types. */
export function useKeys(keys) {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
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
