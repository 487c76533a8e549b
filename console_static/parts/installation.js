// What is known of the installation on every page: which roles are alive, and whether Redis answers.

import { createContext, html, useContext, useEffect, useState } from "../vendor/preact.js";
import { get } from "../api.js";

const EVERY = 10_000;

const Installation = createContext(null);
export const InstallationProvider = Installation.Provider;

/** The installation as `/system` has it, and what is against asking; null before the first answer. */
export const useInstallation = () => useContext(Installation);

/** Ask for it now and then, while the page is shown. */
export function useAskedInstallation(token) {
  const [known, setKnown] = useState({ system: null, problem: null, refresh: () => {} });
  useEffect(() => {
    let gone = false;
    const ask = () =>
      document.hidden ||
      get("/system").then(
        (system) => gone || setKnown({ system, problem: null, refresh: ask }),
        (problem) => gone || setKnown((before) => ({ ...before, problem, refresh: ask })),
      );
    ask();
    const timer = setInterval(ask, EVERY);
    document.addEventListener("visibilitychange", ask);
    return () => {
      gone = true;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", ask);
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
    return html`<p class="alarm tone-terminating" role="alert"><strong>No lifecycle is running: workflows do not move on.</strong>
      Start one: <code>systemctl start lfr@lifecycle</code> or <code>lfr lifecycle</code>. <a href="/system">System</a></p>`;
  }
  return null;
}

/** Whether a process of this role gives signs of life. The worker does what lifecycle and wait do. */
export const isAlive = (system, role) =>
  system.roles.some((process) => process.role === role || process.role === "worker");
