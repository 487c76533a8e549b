// A workflow's data on its page: asked for once, kept true by its news, asked for again where news do not tell all.

import { useCallback, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { get, workflowAt } from "../api.js";
import { takeChanges, wantsWhole } from "../model/workflow.js";
import { hasEnded } from "../model/states.js";
import { useLive } from "./live.js";

const SLOWEST = 10_000;

/**
 * The workflow without the values of its steps, its history, what was against asking, and `refresh`. Asking again
 * waits as many times as long as the answer took: a large workflow is not asked for all the time.
 */
export function useWorkflow(id) {
  const [workflow, setWorkflow] = useState(null);
  const [facts, setFacts] = useState([]);
  const [problem, setProblem] = useState(null);
  const [round, setRound] = useState(0); // a new one for each stream: a workflow that was restarted has a new one
  const timer = useRef(null);
  const took = useRef(200);
  const shown = useRef(id);
  shown.current = id;

  const load = useCallback(async () => {
    clearTimeout(timer.current);
    timer.current = null;
    const began = performance.now();
    try {
      const [whole, history] = await Promise.all([get(workflowAt(id, "?values=false")), get(workflowAt(id, "/history"))]);
      if (shown.current !== id) return;
      setWorkflow((was) => (was?.id === whole.id ? { ...whole, flow: was.flow } : whole)); // a workflow's flow never changes
      setFacts(history);
      setProblem(null);
    } catch (error) {
      if (shown.current === id) setProblem(error);
    }
    took.current = performance.now() - began;
  }, [id]);

  const refresh = useCallback(async () => {
    await load();
    setRound((was) => was + 1);
  }, [load]);

  useEffect(() => {
    setWorkflow(null);
    refresh();
    return () => clearTimeout(timer.current);
  }, [id]);

  const path = useMemo(
    () => (workflow && !hasEnded(workflow.state) ? workflowAt(id, `/live?after=${workflow.moment}`) : null),
    [id, round, workflow === null, workflow && hasEnded(workflow.state)],
  );
  useLive(path, (name, news) => {
    if (name === "end" || name === "problem") return refresh();
    if (name !== "change") return undefined;
    setFacts((was) => (news.changes.length ? [...was, ...news.changes] : was));
    setWorkflow((was) => {
      if (was && wantsWhole(news, was) && !timer.current) {
        timer.current = setTimeout(load, Math.min(Math.max(300, 5 * took.current), SLOWEST));
      }
      return was && takeChanges(was, news);
    });
    return undefined;
  });
  return { workflow, facts, problem, refresh };
}
