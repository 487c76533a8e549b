/** The view of a flow's graph with the states of its steps. The layout is computed once for each graph. */

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { STEP_STATES } from "../format/state-labels.js";
import { buildGraph } from "./graph-model.js";
import { Node, SubflowBox } from "./graph-node.js";
import { createTextMeasure } from "./labels.js";
import { createLayoutClient, Superseded } from "./layout-client.js";
import { deriveStates, findNodeStep, formatSubflowCounts, indexSteps, isTraversed } from "./step-states.js";
import { useViewport } from "./use-viewport.js";
import { findNeighbor } from "./viewport.js";
import { useKeys } from "../hooks/keys.js";

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
 */
export function Graph({ flow, steps = null, orientation = "LR", chosen = null, onChoose, now }) {
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
  return html`<${GraphCanvas}
    flow=${flow}
    steps=${steps}
    arranged=${arranged}
    chosen=${chosen}
    onChoose=${onChoose}
    onFold=${toggle}
    now=${now}
    measure=${measure}
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

function GraphCanvas({ flow, steps, arranged, chosen, onChoose, onFold, now, measure }) {
  const { graph } = arranged;
  const stepIndex = useMemo(() => (steps ? indexSteps(steps, flow.steps.length) : null), [steps, flow]);
  const { nodes: states, groups: boxes } = useMemo(
    () => (stepIndex ? deriveStates(graph, stepIndex) : NO_STATES),
    [graph, stepIndex],
  );
  const nodeSteps = useMemo(
    () =>
      new Map(
        graph.nodes
          .filter((node) => states.get(node.id))
          .map((node) => [node.id, findNodeStep(stepIndex, node, states.get(node.id))]),
      ),
    [graph, states],
  );
  const [follows, setFollows] = useState(true);
  const { svg, layer, actions } = useViewport(arranged, () => setFollows(false));
  const rectangles = useMemo(
    () => graph.nodes.map((node) => ({ ...arranged.nodes.get(node.id), id: node.id })),
    [arranged],
  );
  const running = useMemo(() => findFirst(graph.nodes, states, "RUNNING"), [graph, states]);
  const hasRun = useRef(false); // between two steps, nothing runs for a moment
  hasRun.current ||= running !== null;
  const home = chosen === null ? null : graph.home[chosen];
  useInitialView(
    arranged,
    flow,
    actions,
    running ?? findFirst(graph.nodes, states, "FAILED") ?? graph.nodes[0].id,
  );
  useEffect(() => {
    if (follows && running !== null && actions.view) actions.reveal(arranged.nodes.get(running));
  }, [follows, running, arranged]);

  const choose = (index) => onChoose?.(index);
  const focus = (id) => {
    svg.current.querySelector(`[data-index="${id}"].node`)?.focus({ preventScroll: true });
    actions.reveal(arranged.nodes.get(id));
  };
  const handleClick = (event) => {
    const fold = event.target.closest("[data-fold]");
    const step = event.target.closest("[data-index]");
    if (fold) onFold(Number(fold.dataset.fold));
    else if (step) choose(Number(step.dataset.index));
  };
  const handleKey = (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      handleClick(event);
    } else if (event.key.startsWith("Arrow") && event.target.dataset.index) {
      event.preventDefault();
      const next = findNeighbor(rectangles, Number(event.target.dataset.index), event.key);
      if (next !== undefined) focus(next);
    }
  };
  const formatFigures = ({ kind, id, end }) =>
    stepIndex && kind === "folded" ? formatSubflowCounts(stepIndex, id, end) : "";
  const entry = home ?? running ?? graph.nodes[0].id;
  const counts = stepIndex?.count(...findRange(flow, steps));
  return html`<div class="graph">
    <svg
      ref=${svg}
      class="graph-picture"
      role="group"
      aria-label=${`Graph of ${flow.name || "the flow"}`}
      onClick=${handleClick}
      onKeyDown=${handleKey}
    >
      <${ArrowHeads} />
      <g ref=${layer}>
        ${graph.groups.map(
          (group) => html`<${SubflowBox}
            key=${`box ${group.id}`}
            group=${group}
            at=${arranged.groups.get(group.id)}
            stepIndex=${stepIndex}
            state=${boxes.get(group.id) ?? null}
            measure=${measure}
          />`,
        )}
        ${arranged.blocks.map(
          (position) => html`<rect
            key=${`block ${position.x} ${position.y}`}
            class="block"
            rx="12"
            ...${position}
          />`,
        )}
        <${Edges} arranged=${arranged} stepIndex=${stepIndex} states=${states} />
        ${graph.nodes.map(
          (node) => html`<${Node}
            key=${node.id}
            node=${node}
            at=${arranged.nodes.get(node.id)}
            step=${nodeSteps.get(node.id) ?? null}
            state=${states.get(node.id) ?? null}
            figures=${formatFigures(node)}
            isChosen=${node.id === home}
            isEntry=${node.id === entry}
            isVertical=${graph.orientation === "TB"}
            now=${now}
            measure=${measure}
          />`,
        )}
      </g>
    </svg>
    <${Toolbar} actions=${actions} follows=${follows} canFollow=${hasRun.current} onFollow=${setFollows} />
    ${counts && html`<${Legend} counts=${counts} />`}
  </div>`;
}

/** The states of a flow without a workflow. */
const NO_STATES = { nodes: new Map(), groups: new Map() };

const findFirst = (nodes, states, state) =>
  nodes.find((node) => states.get(node.id) === state && node.width > 40)?.id ?? null;

/** Set the first view. When a subflow is folded or opened, keep it at its place on the screen. */
function useInitialView(arranged, flow, actions, id) {
  const before = useRef(null);
  useEffect(() => {
    const previous = before.current;
    before.current = { arranged, flow };
    const isNew =
      !previous ||
      previous.flow !== flow ||
      previous.arranged.graph.orientation !== arranged.graph.orientation;
    if (isNew || !actions.view) return actions.begin(arranged.nodes.get(id));
    const changed = [...symmetricDifference(previous.arranged.graph.folded, arranged.graph.folded)][0];
    const position = ({ nodes, groups }) => groups.get(changed) ?? nodes.get(changed);
    if (changed !== undefined && position(previous.arranged) && position(arranged))
      actions.hold(position(previous.arranged), position(arranged));
    return undefined;
  }, [arranged]);
}

function* symmetricDifference(one, other) {
  for (const each of one) if (!other.has(each)) yield each;
  for (const each of other) if (!one.has(each)) yield each;
}

/** The arrow heads of passed and other edges. */
const ArrowHeads = () => html`<defs>
  ${["edge-head", "edge-head-travelled"].map(
    (id) => html`<marker
      key=${id}
      id=${id}
      viewBox="0 0 8 8"
      refX="6.5"
      refY="4"
      markerWidth="8"
      markerHeight="8"
      markerUnits="userSpaceOnUse"
      orient="auto"
    >
      <path class=${id} d="M0.5 0.8 7 4 0.5 7.2z" />
    </marker>`,
  )}
</defs>`;

function Edges({ arranged, stepIndex, states }) {
  return useMemo(
    () =>
      arranged.graph.edges.map((edge, position) => {
        if (!arranged.edges[position]) return null;
        const isPassed = stepIndex !== null && isTraversed(stepIndex, edge, states);
        const name = `edge${isPassed ? " travelled" : ""}${edge.back ? " back" : ""}`;
        return html`<path
          key=${`${edge.from}-${edge.to}`}
          class=${name}
          d=${arranged.edges[position]}
          marker-end=${`url(#edge-head${isPassed ? "-travelled" : ""})`}
        />`;
      }),
    [arranged, stepIndex, states],
  );
}

const ZOOM_STEP = 1.3;

/** Buttons to zoom, fit, and follow the running step. */
export function Toolbar({ actions, follows, canFollow, onFollow }) {
  useKeys({
    f: () => actions.fit(),
    "+": () => actions.zoomBy(ZOOM_STEP),
    "-": () => actions.zoomBy(1 / ZOOM_STEP),
  });
  return html`<div class="graph-tools" role="toolbar" aria-label="View of the graph">
    ${
      canFollow &&
      html`<button
        class="follow"
        aria-pressed=${follows ? "true" : "false"}
        title="Keep the running step in sight"
        onClick=${() => onFollow(!follows)}
      >
        Follow
      </button>`
    }
    <button aria-label="Zoom out" title="Zoom out (-)" onClick=${() => actions.zoomBy(1 / ZOOM_STEP)}>
      −
    </button>
    <button aria-label="Zoom in" title="Zoom in (+)" onClick=${() => actions.zoomBy(ZOOM_STEP)}>+</button>
    <button title="See all of it (f)" onClick=${() => actions.fit()}>Fit</button>
  </div>`;
}

/** The states that there are, with icon, label and number of steps. */
export function Legend({ counts }) {
  const present = Object.entries(STEP_STATES).filter(([state]) => counts[state]);
  return html`<ul class="graph-legend" aria-label="States of steps">
    ${present.map(
      ([state, { label, icon, tone }]) => html`<li key=${state} class=${`state-${tone}`}>
        <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true"><path d=${icon} /></svg>
        ${label} <span class="number">${counts[state]}</span>
      </li>`,
    )}
  </ul>`;
}
