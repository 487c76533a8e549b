// What the server knows of one step: loaded when the step is chosen, and again when it changes.

import { useEffect, useState } from "../vendor/preact.js";
import { apiPath, getJson } from "../client/api.js";

/** Return `{ response, problem }` of a path below the workflow; `response` is null until the first answer. */
export function useStepResource(workflow, step, path) {
  const [response, setResponse] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let isStale = false;
    getJson(apiPath(workflow.id, path)).then(
      (answer) => isStale || (setResponse(answer), setProblem(null)),
      (error) => isStale || setProblem(error),
    );
    return () => {
      isStale = true;
    };
  }, [
    workflow.id,
    workflow.state,
    path,
    step.state,
    step.attempt,
    step.items?.done,
    step.items?.failed,
    step.call?.id,
    step.call?.state,
    step.waits_for?.until,
    step.waits_for?.worker,
  ]);
  return { response, problem };
}
