// The states of workflows and steps: label, tone and icon of each.
// `icon`: an SVG path in a box of 16 by 16. `tone`: the name of its colours in styles/tokens.css.

const RUNNING = { tone: "running", icon: "M4 2.5v11l9-5.5z" };
const CHECK = { tone: "done", icon: "M2.5 8.5l3.5 3.5 7.5-8-1.4-1.3L6 9.2 3.9 7.1z" };
const CROSS = {
  tone: "failed",
  icon: "M3.2 4.6 6.6 8l-3.4 3.4 1.4 1.4L8 9.4l3.4 3.4 1.4-1.4L9.4 8l3.4-3.4-1.4-1.4L8 6.6 4.6 3.2z",
};

export const WORKFLOW_STATES = {
  RUNNING: { label: "Running", ...RUNNING },
  FAILED: { label: "Failed", ...CROSS },
  TERMINATING: { label: "Terminating", tone: "terminating", icon: "M3 3h10v10H3zM5 5v6h6V5z" },
  TERMINATED: { label: "Terminated", tone: "terminated", icon: "M3 3h10v10H3z" },
  FINISHED: { label: "Finished", ...CHECK },
};

export const STEP_STATES = {
  PENDING: {
    label: "Pending",
    tone: "pending",
    icon: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 1.6a4.4 4.4 0 1 1 0 8.8 4.4 4.4 0 0 1 0-8.8z",
  },
  RUNNING: { label: "Running", ...RUNNING },
  DONE: { label: "Done", ...CHECK },
  SKIPPED: { label: "Skipped", tone: "skipped", icon: "M2 3.5v9L7.5 8zM8 3.5v9L13.5 8z" },
  FAILED: { label: "Failed", ...CROSS },
  STOPPED: { label: "Stopped", tone: "terminated", icon: "M3 3h10v10H3z" },
};

/** Return whether a workflow in this state has ended. */
export const hasEnded = (state) => state === "FINISHED" || state === "FAILED" || state === "TERMINATED";
