/** The view of a flow's graph with the states of its steps. The layout is computed once for each graph. */

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { buildGraph } from "./graph-model.js";
import { GraphPicture } from "./graph-picture.js";
import { createTextMeasure } from "./labels.js";
import { createLayoutClient, Superseded } from "./layout-client.js";

/** The limit of nodes, even on request. */
const MAX_NODES_ON_REQUEST = 6000;

/**
 * @param {object} props
 * @param {any} props.flow from the API; another object gets a new layout
 * @param {any[]|null} [props.steps] from the API, some or all; null: a flow without a workflow
 * @param {"LR"|"TB"} [props.orientation]
 * @param {number|null} [props.chosen] the index of the chosen step
 * @param {(index: number) => void} [props.onChoose]
 * @param {number} props.now in milliseconds
 * @param {any} [props.tools] more for the toolbar
 */
export function Graph({
  flow,
  steps = null,
  orientation = "LR",
  chosen = null,
  onChoose,
  now,
  tools = null,
}) {
  const measure = useMemo(createTextMeasure, []);
  const [folded, setFolded] = useState(null);
  const [atMost, setAtMost] = useState(undefined);
  const [first, last] = findRange(flow, steps);
  const graph = useMemo(
    () => buildGraph(flow, { folded: folded ?? undefined, orientation, measure, atMost, first, last }),
    [flow, folded, orientation, atMost, first, last],
  );
  const { arranged, problem } = useLayout(graph);
  useEffect(() => setFolded(null), [flow]);
  if (graph.tooLarge)
    return html`<${TooLarge} count=${graph.tooLarge} onDraw=${() => setAtMost(MAX_NODES_ON_REQUEST)} />`;
  if (problem)
    return html`<p class="graph-note" role="alert">The graph could not be laid out: ${problem.message}</p>`;
  if (!arranged) return html`<p class="graph-note">Laying out ${graph.nodes.length} nodes …</p>`;
  const toggle = (index) => {
    const after = new Set(arranged.graph.folded);
    if (!after.delete(index)) after.add(index);
    setFolded(after);
  };
  return html`<${GraphPicture}
    flow=${flow}
    steps=${steps}
    range=${[first, last]}
    arranged=${arranged}
    chosen=${chosen}
    onChoose=${onChoose}
    onFold=${toggle}
    now=${now}
    measure=${measure}
    tools=${tools}
  />`;
}

/**
 * Return the first and last index. The workflow of an item has only a part of the flow.
 * @returns {[number, number]}
 */
function findRange(flow, steps) {
  if (!steps?.length) return [0, flow.steps.length - 1];
  return [steps[0].index, steps.at(-1).index];
}

/** Return the latest layout. The previous one stays until the next is computed. */
function useLayout(graph) {
  const layouts = useRef(null);
  const [layout, setLayout] = useState({ arranged: null, problem: null });
  useEffect(() => () => layouts.current?.close(), []);
  useEffect(() => {
    if (graph.tooLarge) return;
    layouts.current ??= createLayoutClient();
    layouts.current.request(graph).then(
      (arranged) => setLayout({ arranged: { ...arranged, graph }, problem: null }),
      (problem) => problem instanceof Superseded || setLayout({ arranged: null, problem }),
    );
  }, [graph]);
  return layout;
}

function TooLarge({ count, onDraw }) {
  return html`<div class="graph-note">
    <p>
      ${count.toLocaleString("en")} nodes are too many to see anything in a picture of them. The steps are
      listed in the table.
    </p>
    ${count <= MAX_NODES_ON_REQUEST && html`<button onClick=${onDraw}>Draw them anyway</button>`}
  </div>`;
}
