/** The colours of styles/tokens.css, for canvases: they know no variables of CSS. */

import { useLayoutEffect, useState } from "../vendor/preact.js";
import { STEP_STATES } from "../format/state-labels.js";

/**
 * Return the colours in the present theme; null before the first layout.
 * @param {{current: HTMLElement|null}} element within which they hold
 * @returns {import("./paint.js").Tones|null}
 */
export function useTones(element) {
  const [tones, setTones] = useState(null);
  useLayoutEffect(() => {
    const read = () => element.current && setTones(readTones(element.current));
    read();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", read);
    const observer = new MutationObserver(read);
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      scheme.removeEventListener("change", read);
      observer.disconnect();
    };
  }, []);
  return tones;
}

function readTones(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const states = Object.entries(STEP_STATES).map(([state, { tone }]) => [state, read(tone)]);
  const tones = {
    states: { ...Object.fromEntries(states), PENDING: read("line-strong"), SKIPPED: read("line-strong") },
    line: read("line-strong"),
    passed: read("done"),
    ground: read("surface"),
    accent: read("accent"),
    text: read("text"),
    font: getComputedStyle(document.documentElement).getPropertyValue("--sans") || "sans-serif",
  };
  probe.remove();
  return tones;
}
