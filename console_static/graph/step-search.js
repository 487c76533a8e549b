/** The search field of a graph. */

import { html, useMemo, useRef, useState } from "../vendor/preact.js";
import { useKeys } from "../hooks/keys.js";
import { findSteps } from "./find-steps.js";
import { formatTitle } from "./labels.js";

/**
 * @param {object} props
 * @param {any} props.flow
 * @param {import("./step-states.js").StepIndex|null} props.stepIndex
 * @param {[number, number]} props.range the first and last index
 * @param {number|null} props.found the step that is shown
 * @param {(index: number|null) => void} props.onFound shows a step
 * @param {() => void} props.onLeave moves the focus into the picture
 */
export function StepSearch({ flow, stepIndex, range, found, onFound, onLeave }) {
  const [text, setText] = useState("");
  const input = useRef(null);
  const [first, last] = range;
  const hits = useMemo(
    () => findSteps(flow, text, { stepIndex, first, last }),
    [flow, text, stepIndex, first, last],
  );
  const place = hits.indexOf(found);
  useKeys({ "/": () => input.current.select() }, { comesFirst: true });
  const search = (event) => {
    const words = event.currentTarget.value;
    setText(words);
    onFound(findSteps(flow, words, { stepIndex, first, last })[0] ?? null);
  };
  const handleKey = (event) => {
    if (event.key === "Escape") {
      setText("");
      onFound(null);
      onLeave();
    } else if (event.key === "Enter" && hits.length) {
      const from = place < 0 && event.shiftKey ? 0 : place;
      onFound(hits[(from + (event.shiftKey ? -1 : 1) + hits.length) % hits.length]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<span class="graph-search">
    <input
      ref=${input}
      type="search"
      value=${text}
      placeholder="Find a step"
      aria-label="Find a step by its name, index or state"
      title="Enter: the next one. Shift+Enter: the one before. (/)"
      onInput=${search}
      onKeyDown=${handleKey}
    />
    <output role="status">${text.trim() && describe(flow, hits, place)}</output>
  </span>`;
}

function describe(flow, hits, place) {
  if (!hits.length) return "No step matches";
  const count = hits.length.toLocaleString("en");
  if (place < 0) return `${count} found`;
  return html`${(place + 1).toLocaleString("en")} of ${count}
    <span class="hidden">: ${hits[place]} ${formatTitle(flow.steps[hits[place]], flow)}</span>`;
}
