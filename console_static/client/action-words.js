// What people can do to a workflow: the words for it, and what it will mean.

/** By the API's word. `ask`: what is asked before it is done; `said`: what is said afterwards. */
export const ACTIONS = {
  terminate: {
    label: "Terminate",
    title: "Terminate it: nothing more starts, and what runs is cancelled. It can be restarted.",
    ask: (what) => `Terminate ${what}?`,
    means: "Nothing more of it starts, waits end, and workers are told to cancel what they run. Its outputs are kept: a restart goes on from there.",
    said: "is terminated",
    danger: true,
  },
  restart: {
    label: "Restart",
    title: "Go on where it ended: with what failed, or was running",
    ask: (what) => `Restart ${what}?`,
    means: "Steps that failed or were running start again, and what follows them. Steps that are done stay done, and their outputs are kept.",
    said: "goes on",
    danger: false,
  },
  delete: {
    label: "Delete",
    title: "Delete it and all that is known of it",
    ask: (what) => `Delete ${what}?`,
    means: "All that is known of it goes from Redis: input, outputs, history. An archive that was downloaded before can be restored.",
    said: "is deleted",
    danger: true,
  },
};
