// What is known of the installation on every page: which roles are alive, and whether Redis answers.

import { createContext, html, useContext, useEffect, useState } from "../vendor/preact.js";
import { get } from "../client/api.js";

const EVERY = 10_000;
const EVERY_IN_TROUBLE = 2000;

const Installation = createContext(null);
export const InstallationProvider = Installation.Provider;

/** The installation as `/system` has it, and what is against asking; null before the first answer. */
export const useInstallation = () => useContext(Installation);

/** Ask for it now and then, while the page is shown; sooner again while it cannot be told. */
export function useAskedInstallation(token) {
  const [known, setKnown] = useState({ system: null, problem: null, refresh: async () => {} });
  useEffect(() => {
    let isOver = false;
    let asking = null;
    let timer;
    const ask = () => {
      asking ??= get("/system").then(
        (system) => hear({ system, problem: null, refresh: ask }),
        (problem) => hear({ problem, refresh: ask }),
      );
      return asking;
    };
    const hear = (told) => {
      asking = null;
      if (isOver) return null;
      setKnown((before) => ({ ...before, ...told }));
      clearTimeout(timer);
      timer = setTimeout(again, told.problem ? EVERY_IN_TROUBLE : EVERY);
      return told.problem;
    };
    const again = () => document.hidden || ask();
    ask();
    document.addEventListener("visibilitychange", again);
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, [token]);
  return known;
}

/** What everybody must know, whatever they look at; nothing if all is well. */
export function Alarm() {
  const { system, problem } = useInstallation();
  if (problem && problem.status !== 401) {
    const what = problem.status === 0 ? "The console's server cannot be reached." : problem.message;
    return html`<p class="alarm tone-failed" role="alert"><strong>${what}</strong> ${problem.hint} What is shown is as it was; it is tried again.</p>`;
  }
  if (system && !isAlive(system, "lifecycle")) {
    return html`<p class="alarm tone-terminating" role="alert"><strong>No lifecycle is running: workflows do not move on.</strong>${" "}
      Start one: <code>systemctl start lfr@lifecycle</code> or <code>lfr lifecycle</code>. <a href="/system">System</a></p>`;
  }
  return null;
}

/** What `lfr worker` does in one process. */
const WORKER = ["lifecycle", "wait", "request", "redis", "resource"];

/** Whether a process gives signs of life that does what this role does. */
export const isAlive = (system, role) =>
  system.roles.some((process) => process.role === role || (process.role === "worker" && WORKER.includes(role)));
