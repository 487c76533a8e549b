/** The graph of a flow, with the states of its steps: laid out once, then only painted. */

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { makeGraph } from "./graph-model.js";
import { isTravelled, knowSteps, nodeStep, statesOf, subflowFigures } from "./step-states.js";
import { nextPlace } from "./viewport.js";
import { Superseded, makeLayouts } from "./layout-client.js";
import { Box, Node } from "./graph-node.js";
import { Legend, Tools } from "./toolbar.js";
import { makeMeasure } from "./text-measure.js";
import { useViewport } from "./use-viewport.js";

/** More nodes than this are not drawn even if asked for. */
const MOST_NODES = 6000;

/**
 * @param {object} props
 * @param {object} props.flow as the API gives it; another object is another flow, and is laid out anew
 * @param {object[]|null} [props.steps] as the API gives them, for some or all steps; null: a flow that does not run
 * @param {"LR"|"TB"} [props.orientation]
 * @param {number|null} [props.chosen] the index of the chosen step
 * @param {(index: number) => void} [props.onChoose]
 * @param {number} props.now in milliseconds
 */
export function Graph({ flow, steps = null, orientation = "LR", chosen = null, onChoose, now }) {
  const measure = useMemo(makeMeasure, []);
  const [folded, setFolded] = useState(null);
  const [atMost, setAtMost] = useState(undefined);
  const [first, last] = rangeOf(flow, steps);
  const graph = useMemo(
    () => makeGraph(flow, { folded: folded ?? undefined, orientation, measure, atMost, first, last }),
    [flow, folded, orientation, atMost, first, last],
  );
  const { arranged, problem } = useLayout(graph);
  useEffect(() => setFolded(null), [flow]);
  if (graph.tooLarge) return html`<${TooLarge} count=${graph.tooLarge} onDraw=${() => setAtMost(MOST_NODES)} />`;
  if (problem) return html`<p class="graph-note" role="alert">The graph could not be laid out: ${problem.message}</p>`;
  if (!arranged) return html`<p class="graph-note">Laying out ${graph.nodes.length} nodes …</p>`;
  const toggle = (index) => {
    const after = new Set(arranged.graph.folded);
    if (!after.delete(index)) after.add(index);
    setFolded(after);
  };
  return html`<${Picture} flow=${flow} steps=${steps} arranged=${arranged} chosen=${chosen} onChoose=${onChoose} onFold=${toggle} now=${now} measure=${measure} />`;
}

/** The steps that there are: of an item's workflow, only a part of the flow. */
function rangeOf(flow, steps) {
  if (!steps?.length) return [0, flow.steps.length - 1];
  return [steps[0].index, steps.at(-1).index];
}

/** The newest layout that there is. While the next one is made, the one before stays. */
function useLayout(graph) {
  const layouts = useRef(null);
  const [answer, setAnswer] = useState({});
  useEffect(() => () => layouts.current?.close(), []);
  useEffect(() => {
    if (graph.tooLarge) return;
    layouts.current ??= makeLayouts();
    layouts.current.ask(graph).then(
      (arranged) => setAnswer({ arranged: { ...arranged, graph } }),
      (problem) => problem instanceof Superseded || setAnswer({ problem }),
    );
  }, [graph]);
  return answer;
}

function TooLarge({ count, onDraw }) {
  return html`<div class="graph-note">
    <p>${count.toLocaleString("en")} nodes are too many to see anything in a picture of them. The steps are listed in the table.</p>
    ${count <= MOST_NODES && html`<button onClick=${onDraw}>Draw them all the same</button>`}
  </div>`;
}

function Picture({ flow, steps, arranged, chosen, onChoose, onFold, now, measure }) {
  const { graph } = arranged;
  const known = useMemo(() => (steps ? knowSteps(steps, flow.steps.length) : null), [steps, flow]);
  const { nodes: states, groups: boxes } = useMemo(() => (known ? statesOf(graph, known) : NO_STATES), [graph, known]);
  const told = useMemo(() => new Map(graph.nodes.filter((node) => states.get(node.id)).map((node) => [node.id, nodeStep(known, node, states.get(node.id))])), [graph, states]);
  const [follows, setFollows] = useState(true);
  const { svg, layer, actions } = useViewport(arranged, () => setFollows(false));
  const places = useMemo(() => graph.nodes.map((node) => ({ ...arranged.nodes.get(node.id), id: node.id })), [arranged]);
  const running = useMemo(() => firstOf(graph.nodes, states, "RUNNING"), [graph, states]);
  const hasRun = useRef(false); // between two steps nothing runs for a moment
  hasRun.current ||= running !== null;
  const home = chosen === null ? null : graph.home[chosen];
  useBeginning(arranged, flow, actions, running ?? firstOf(graph.nodes, states, "FAILED") ?? graph.nodes[0].id);
  useEffect(() => {
    if (follows && running !== null && actions.view) actions.reveal(arranged.nodes.get(running));
  }, [follows, running, arranged]);

  const choose = (index) => onChoose?.(index);
  const focus = (id) => {
    svg.current.querySelector(`[data-index="${id}"].node`)?.focus({ preventScroll: true });
    actions.reveal(arranged.nodes.get(id));
  };
  const clicked = (event) => {
    const fold = event.target.closest("[data-fold]");
    const step = event.target.closest("[data-index]");
    if (fold) onFold(Number(fold.dataset.fold));
    else if (step) choose(Number(step.dataset.index));
  };
  const pressed = (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      clicked(event);
    } else if (event.key.startsWith("Arrow") && event.target.dataset.index) {
      event.preventDefault();
      const next = nextPlace(places, Number(event.target.dataset.index), event.key);
      if (next !== undefined) focus(next);
    }
  };
  const entry = home ?? running ?? graph.nodes[0].id;
  const counts = known?.count(...rangeOf(flow, steps));
  return html`<div class="graph">
    <svg ref=${svg} class="graph-picture" role="group" aria-label=${`Graph of ${flow.name || "the flow"}`} onClick=${clicked} onKeyDown=${pressed}>
      <${Heads} />
      <g ref=${layer}>
        ${graph.groups.map((group) => html`<${Box} key=${`box ${group.id}`} group=${group} at=${arranged.groups.get(group.id)} known=${known}
          state=${boxes.get(group.id) ?? null} measure=${measure} />`)}
        ${arranged.blocks.map((place) => html`<rect key=${`block ${place.x} ${place.y}`} class="block" rx="12" ...${place} />`)}
        <${Edges} arranged=${arranged} known=${known} states=${states} />
        ${graph.nodes.map((node) => html`<${Node} key=${node.id} node=${node} at=${arranged.nodes.get(node.id)} step=${told.get(node.id) ?? null}
          state=${states.get(node.id) ?? null} figures=${known && node.kind === "folded" ? subflowFigures(known, node.id, node.end) : ""}
          isChosen=${node.id === home} isEntry=${node.id === entry} isTurned=${graph.orientation === "TB"} now=${now} measure=${measure} />`)}
      </g>
    </svg>
    <${Tools} actions=${actions} follows=${follows} canFollow=${hasRun.current} onFollow=${setFollows} />
    ${counts && html`<${Legend} counts=${counts} />`}
  </div>`;
}

/** Of a flow that does not run. */
const NO_STATES = { nodes: new Map(), groups: new Map() };

const firstOf = (nodes, states, state) => nodes.find((node) => states.get(node.id) === state && node.width > 40)?.id ?? null;

/** The view at first; and what it does when something is folded: what was clicked stays where it is. */
function useBeginning(arranged, flow, actions, id) {
  const before = useRef(null);
  useEffect(() => {
    const was = before.current;
    before.current = { arranged, flow };
    const isNew = !was || was.flow !== flow || was.arranged.graph.orientation !== arranged.graph.orientation;
    if (isNew || !actions.view) return actions.begin(arranged.nodes.get(id));
    const changed = [...symmetric(was.arranged.graph.folded, arranged.graph.folded)][0];
    const place = ({ nodes, groups }) => groups.get(changed) ?? nodes.get(changed);
    if (changed !== undefined && place(was.arranged) && place(arranged)) actions.hold(place(was.arranged), place(arranged));
    return undefined;
  }, [arranged]);
}

function* symmetric(one, other) {
  for (const each of one) if (!other.has(each)) yield each;
  for (const each of other) if (!one.has(each)) yield each;
}

/** The heads of arrows, for edges that have been gone along and for others. */
const Heads = () => html`<defs>${["edge-head", "edge-head-travelled"].map((id) => html`
  <marker key=${id} id=${id} viewBox="0 0 8 8" refX="6.5" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
    <path class=${id} d="M0.5 0.8 7 4 0.5 7.2z" /></marker>`)}</defs>`;

function Edges({ arranged, known, states }) {
  return useMemo(
    () => arranged.graph.edges.map((edge, place) => {
      if (!arranged.edges[place]) return null;
      const travelled = known !== null && isTravelled(known, edge, states);
      const name = `edge${travelled ? " travelled" : ""}${edge.back ? " back" : ""}`;
      return html`<path key=${`${edge.from}-${edge.to}`} class=${name} d=${arranged.edges[place]} marker-end=${`url(#edge-head${travelled ? "-travelled" : ""})`} />`;
    }),
    [arranged, known, states],
  );
}
