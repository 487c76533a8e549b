/**
 * The picture of a graph that is laid out, with the states of its steps.
 *
 * Only what is in sight is in the document (culling.js). If that is too much, a canvas shows it
 * (overview.js), and the document has only the nodes that somebody has chosen, found or reached by a key.
 */

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { findAt } from "./culling.js";
import { ArrowHeads, Edges } from "./edges.js";
import { findFailedSteps, findPlaceAfter } from "./find-steps.js";
import { STEP_STATES } from "../format/state-labels.js";
import { Node, SubflowBox } from "./graph-node.js";
import { formatTitle } from "./labels.js";
import { Minimap, Overview, usePainting } from "./overview.js";
import { deriveStates, findNodeStep, formatSubflowCounts, indexSteps, isTraversed } from "./step-states.js";
import { Legend, Toolbar } from "./toolbar.js";
import { useTones } from "./tones.js";
import { useDrawn } from "./use-drawn.js";
import { useFollowing, useInitialView } from "./use-first-view.js";
import { useNodeFocus } from "./use-node-focus.js";
import { useViewport } from "./use-viewport.js";
import { MAX_FIT_ZOOM } from "./viewport.js";
import { findNext } from "./walk.js";

/** Graphs with fewer nodes have no map. */
const MAP_FROM = 30;
/** Pixels around a node on the canvas in which a click still means it. */
const REACH = 8;
const HINT_MS = 2000;

/** The states of a flow without a workflow. */
const NO_STATES = { nodes: new Map(), groups: new Map() };

/**
 * @param {object} props
 * @param {any} props.flow from the API
 * @param {any[]|null} props.steps from the API; null: a flow without a workflow
 * @param {[number, number]} props.range the first and last index
 * @param {any} props.arranged the layout, with its graph
 * @param {number|null} props.chosen the index of the chosen step
 * @param {(index: number) => void} [props.onChoose]
 * @param {number} props.now in milliseconds
 * @param {any} props.tools more for the toolbar
 * @param {(index: number) => void} props.onFold folds or opens a subflow
 * @param {Function} props.measure
 */
export function GraphPicture({
  flow,
  steps,
  range,
  arranged,
  chosen,
  onChoose,
  onFold,
  now,
  measure,
  tools,
}) {
  const { graph } = arranged;
  const stepIndex = useMemo(() => (steps ? indexSteps(steps, flow.steps.length) : null), [steps, flow]);
  const { nodes: states, groups: boxes } = useMemo(
    () => (stepIndex ? deriveStates(graph, stepIndex) : NO_STATES),
    [graph, stepIndex],
  );
  const rectangles = useMemo(
    () => graph.nodes.map(({ id, title }) => ({ ...arranged.nodes.get(id), id, title })),
    [arranged],
  );
  const [isHintShown, showHint] = useHint();
  const following = useFollowing(graph, states);
  const { svg, layer, actions } = useViewport(arranged, {
    onMoved: following.stop,
    onWheelUnused: showHint,
  });
  useInitialView(arranged, flow, actions, following.first);
  useEffect(() => {
    const { isOn, running } = following;
    if (isOn && running !== null && actions.view) actions.reveal(arranged.nodes.get(running));
  }, [following.isOn, following.running, arranged]);

  const [found, setFound] = useState(null);
  const [active, focus] = useNodeFocus(svg);
  const homeOf = (index) => (index === null ? null : graph.home[index] >= 0 ? graph.home[index] : null);
  const [chosenNode, foundNode] = [homeOf(chosen), homeOf(found)];
  const entry = homeOf(active) ?? chosenNode ?? following.first;
  const drawn = useDrawn(actions, arranged, rectangles, [entry, chosenNode, foundNode]);
  const nodeSteps = useMemo(
    () =>
      new Map(
        drawn.nodes
          .filter((node) => states.get(node.id))
          .map((node) => [node.id, findNodeStep(stepIndex, node, states.get(node.id))]),
      ),
    [drawn.nodes, states],
  );
  const passed = useMemo(
    () => graph.edges.map((edge) => stepIndex !== null && isTraversed(stepIndex, edge, states)),
    [graph, stepIndex, states],
  );
  const painting = usePainting(rectangles, states, arranged, passed);
  const stage = useRef(null);
  const tones = useTones(stage);
  const ringed = useMemo(
    () => [chosenNode, foundNode].filter((id) => id !== null).map((id) => arranged.nodes.get(id)),
    [chosenNode, foundNode, arranged],
  );
  const [pointed, setPointed] = useState(null);

  const goTo = (index) => {
    setFound(index);
    if (homeOf(index) === null) return;
    following.stop();
    focus(index, { isSilent: true });
    actions.goTo(arranged.nodes.get(homeOf(index)));
  };
  const failed = useMemo(
    () => (stepIndex ? findFailedSteps(stepIndex, ...range) : []),
    [stepIndex, ...range],
  );
  const goToFailed = (direction) => {
    if (!failed.length) return;
    const index = failed[findPlaceAfter(failed, found ?? chosen, direction)];
    goTo(index);
    if (index !== chosen) onChoose?.(index);
  };
  const findUnder = (event) => {
    if (!drawn.isFar || !actions.view) return undefined;
    const { left, top } = svg.current.getBoundingClientRect();
    const { x, y, k } = actions.view;
    return findAt(
      rectangles,
      { x: (event.clientX - left - x) / k, y: (event.clientY - top - y) / k },
      REACH / k,
    );
  };
  const handleClick = (event) => {
    const fold = event.target.closest("[data-fold]");
    const index = event.target.closest("[data-index]")?.dataset.index ?? findUnder(event)?.id;
    if (fold) onFold(Number(fold.dataset.fold));
    else if (index !== undefined) {
      setFound(null);
      focus(Number(index), { isSilent: true });
      onChoose?.(Number(index));
    }
  };
  const handleKey = (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      handleClick(event);
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = findNext(graph, rectangles, Number(event.target.dataset.index ?? entry), event.key);
      if (next === undefined) return;
      focus(next);
      actions.reveal(arranged.nodes.get(next));
    }
  };
  const handleFocus = ({ target, relatedTarget }) => {
    const index = Number(target.dataset.index ?? NaN);
    if (Number.isNaN(index)) return;
    if (index !== active) focus(index, { isSilent: true });
    if (relatedTarget && target.matches(":focus-visible")) actions.reveal(arranged.nodes.get(index));
  };
  const handleMove = (event) => {
    const under = event.buttons ? undefined : findUnder(event);
    if (under?.id !== pointed?.id) setPointed(under ?? null);
  };
  const formatFigures = ({ kind, id, end }) =>
    stepIndex && kind === "folded" ? formatSubflowCounts(stepIndex, id, end) : "";
  const hasMap = tones && graph.nodes.length >= MAP_FROM && actions.view && !actions.isSmall();
  const wanted = `${Math.ceil(arranged.height * MAX_FIT_ZOOM)}px`;
  return html`<div class="graph" style=${{ "--wanted": wanted }}>
    <${Toolbar}
      actions=${actions}
      following=${following}
      flow=${flow}
      stepIndex=${stepIndex}
      range=${range}
      failed=${failed}
      found=${found}
      onFound=${goTo}
      onFailed=${goToFailed}
      onLeave=${() => focus(entry)}
      tools=${tools}
    />
    <div class="graph-stage" ref=${stage}>
      ${
        drawn.isFar &&
        tones &&
        html`<${Overview} painting=${painting} actions=${actions} tones=${tones} ringed=${ringed} />`
      }
      <svg
        ref=${svg}
        class="graph-picture"
        role="group"
        tabindex="-1"
        aria-label=${`Graph of ${flow.name || "the flow"}`}
        onClick=${handleClick}
        onKeyDown=${handleKey}
        onFocusIn=${handleFocus}
        onPointerMove=${handleMove}
        onPointerLeave=${() => setPointed(null)}
      >
        <${ArrowHeads} />
        <g ref=${layer}>
          ${drawn.groups.map(
            (group) => html`<${SubflowBox}
              key=${`box ${group.id}`}
              group=${group}
              at=${arranged.groups.get(group.id)}
              stepIndex=${stepIndex}
              state=${boxes.get(group.id) ?? null}
              measure=${measure}
            />`,
          )}
          ${drawn.blocks.map(
            (position) => html`<rect
              key=${`block ${position.x} ${position.y}`}
              class="block"
              rx="12"
              ...${position}
            />`,
          )}
          <${Edges} arranged=${arranged} places=${drawn.edges} passed=${passed} />
          ${drawn.nodes.map(
            (node) => html`<${Node}
              key=${node.id}
              node=${node}
              at=${arranged.nodes.get(node.id)}
              step=${nodeSteps.get(node.id) ?? null}
              state=${states.get(node.id) ?? null}
              figures=${formatFigures(node)}
              isChosen=${node.id === chosenNode}
              isFound=${node.id === foundNode}
              isEntry=${node.id === entry}
              isVertical=${graph.orientation === "TB"}
              now=${now}
              measure=${measure}
            />`,
          )}
        </g>
      </svg>
      ${
        pointed &&
        drawn.isFar &&
        html`<${Label} flow=${flow} at=${pointed} state=${states.get(pointed.id)} actions=${actions} />`
      }
      ${
        hasMap &&
        html`<${Minimap}
          painting=${painting}
          graph=${arranged}
          actions=${actions}
          tones=${tones}
        />`
      }
      ${isHintShown && html`<p class="graph-hint">Hold Ctrl or ⌘ to zoom, or click the graph first</p>`}
    </div>
    ${stepIndex && html`<${Legend} counts=${stepIndex.count(...range)} />`}
  </div>`;
}

/**
 * Return whether the hint about the wheel is shown, and what shows it for a while.
 * @returns {[boolean, () => void]}
 */
function useHint() {
  const [isShown, setIsShown] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const show = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setIsShown(false), HINT_MS);
    setIsShown(true);
  };
  return [isShown, show];
}

/** The name of the node under the pointer, while nodes are too small for their names. */
function Label({ flow, at, state, actions }) {
  const { x, y, k } = actions.view;
  const place = { left: `${(at.x + at.width / 2) * k + x}px`, top: `${at.y * k + y}px` };
  const words = [`${at.id} ${formatTitle(flow.steps[at.id], flow)}`, STEP_STATES[state]?.label].filter(
    Boolean,
  );
  return html`<p class="graph-label" aria-hidden="true" style=${place}>${words.join(" · ")}</p>`;
}
