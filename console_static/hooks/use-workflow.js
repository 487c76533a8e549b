// The data of one workflow for its page: loaded, live, and polled after its end.

import { useEffect, useMemo, useState } from "../vendor/preact.js";
import { apiPath, getJson } from "../client/api.js";
import { PERMANENT_ERRORS } from "../client/stream.js";
import { hasEnded } from "../format/state-labels.js";
import { WorkflowSource } from "../state/workflow-source.js";
import { usePolling, useStream } from "./live.js";

const POLL_MS = 5000; // others may restart or delete a workflow that has ended

/** Return the workflow (or null), its history (`facts`), the `problem` of the last load, and `refresh`. */
export function useWorkflow(id) {
  const [, rerender] = useState(0);
  const source = useMemo(() => new WorkflowSource(id, getJson, () => rerender((count) => count + 1)), [id]);
  useEffect(() => {
    source.refresh();
    return () => source.close();
  }, [source]);

  const { workflow, facts, problem } = source;
  const isOver = workflow !== null && hasEnded(workflow.state);
  const refresh = () => source.refresh();
  useStream(workflow && !isOver ? apiPath(id, "/live") : null, {
    onEvent: (name, data) => {
      if (name === "end") refresh();
      if (name === "change") source.applyUpdate(data);
    },
    lastEventId: () => source.workflow.moment,
    onReconnect: refresh,
    onRefused: refresh,
  });
  const mayRecover = problem !== null && !PERMANENT_ERRORS.includes(problem.status);
  usePolling(
    isOver || (workflow === null && mayRecover) ? id : null,
    { request: () => source.refresh().then(() => source.problem && Promise.reject(source.problem)) },
    POLL_MS,
  );
  return { workflow, facts, problem, refresh };
}
