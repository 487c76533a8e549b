/** Where a graph is seen first, and how the view follows the step that runs. */

import { useEffect, useMemo, useRef, useState } from "../vendor/preact.js";

/**
 * Return whether the view follows the running step, and what there is to follow.
 * @returns {{isOn: boolean, isPossible: boolean, running: number|null, first: number, stop: () => void,
 *   toggle: () => void}} `running`: the first node that runs, null if one has failed; `first`: the node to
 * begin at
 */
export function useFollowing(graph, states) {
  const [isOn, setIsOn] = useState(true);
  const failed = useMemo(() => findFirst(graph.nodes, states, "FAILED"), [graph, states]);
  const running = useMemo(
    () => (failed === null ? findFirst(graph.nodes, states, "RUNNING") : null),
    [failed, graph, states],
  );
  const hasRun = useRef(false); // between two steps, nothing runs for a moment
  hasRun.current ||= running !== null;
  return {
    isOn,
    isPossible: hasRun.current,
    running,
    first: failed ?? running ?? graph.nodes[0].id,
    stop: () => setIsOn(false),
    toggle: () => setIsOn(!isOn),
  };
}

const findFirst = (nodes, states, state) =>
  nodes.find((node) => states.get(node.id) === state && node.width > 40)?.id ?? null;

/** Set the first view. When a subflow is folded or opened, keep it at its place on the screen. */
export function useInitialView(arranged, flow, actions, id) {
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
