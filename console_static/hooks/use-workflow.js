// A workflow's data on its page.

import { useEffect, useMemo, useState } from "../vendor/preact.js";
import { get, workflowAt } from "../client/api.js";
import { hasEnded } from "../format/state-labels.js";
import { useLive, usePolled } from "./live.js";
import { WorkflowSource } from "../state/workflow-source.js";

const FINAL = [400, 401, 403, 404];
const LOOK_EVERY = 5000; // milliseconds: one that has ended may be restarted, or deleted, by others

/** The workflow, its history (`facts`), what is against asking (`problem`), and `refresh`. */
export function useWorkflow(id) {
  const [, draw] = useState(0);
  const source = useMemo(() => new WorkflowSource(id, get, () => draw((count) => count + 1)), [id]);
  useEffect(() => {
    source.refresh();
    return () => source.close();
  }, [source]);

  const { workflow, facts, problem } = source;
  const isOver = workflow !== null && hasEnded(workflow.state);
  const refresh = () => source.refresh();
  useLive(workflow && !isOver ? workflowAt(id, "/live") : null, {
    news: (name, news) => {
      if (name === "end") refresh();
      if (name === "change") source.take(news);
    },
    after: () => source.workflow.moment,
    refused: refresh,
  });
  const mayCome = problem !== null && !FINAL.includes(problem.status); // it was not there to be asked
  usePolled(isOver || (workflow === null && mayCome) ? id : null, { ask: () => source.refresh().then(() => source.problem && Promise.reject(source.problem)) }, LOOK_EVERY);
  return { workflow, facts, problem, refresh };
}
