// The state of the installation, shared by all pages: live roles and Redis.

import { createContext, useContext, useEffect, useState } from "../vendor/preact.js";
import { getJson } from "../client/api.js";

const POLL_MS = 10_000;
const RETRY_MS = 2000;

const Installation = createContext(null);
export const InstallationProvider = Installation.Provider;

/**
 * Return `system`, the latest response of `/system` (null before the first), the `problem` of the last
 * request (null: none), and `refresh`.
 */
export const useInstallation = () => useContext(Installation);

/** Poll what `useInstallation` returns while the page is visible; more often after a problem. */
export function usePolledInstallation(token) {
  const [installation, setInstallation] = useState({ system: null, problem: null, refresh: async () => {} });
  useEffect(() => {
    let isUnmounted = false;
    let response = null;
    let timer;
    const refresh = () => {
      response ??= getJson("/system").then(
        (system) => receive({ system, problem: null, refresh }),
        (problem) => receive({ problem, refresh }),
      );
      return response;
    };
    const receive = (changes) => {
      response = null;
      if (isUnmounted) return null;
      setInstallation((previous) => ({ ...previous, ...changes }));
      clearTimeout(timer);
      timer = setTimeout(refreshIfVisible, changes.problem ? RETRY_MS : POLL_MS);
      return changes.problem;
    };
    const refreshIfVisible = () => document.hidden || refresh();
    refresh();
    document.addEventListener("visibilitychange", refreshIfVisible);
    return () => {
      isUnmounted = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", refreshIfVisible);
    };
  }, [token]);
  return installation;
}

/**
 * The roles that one process of `lfr worker` runs. `/system` names processes only by their own role, and its
 * format is fixed; tests/console/test_modules.py compares this list with lfr/roles/worker.py.
 */
const WORKER_ROLES = ["lifecycle", "wait", "request", "redis", "resource"];

/** Return whether a live process runs this role. */
export const isAlive = (system, role) =>
  system.roles.some(
    (process) => process.role === role || (process.role === "worker" && WORKER_ROLES.includes(role)),
  );
