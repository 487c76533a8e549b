// What the token of this browser permits.

import { createContext, useContext, useEffect, useState } from "../vendor/preact.js";
import { getJson } from "../client/api.js";

const RANKS = ["read", "operate", "admin"];
const AccessContext = createContext("admin");

/** Provides the role of the token to what is inside. */
export const AccessProvider = AccessContext.Provider;

/** Return the role of a token; "admin" until the server has answered: it refuses what the role forbids. */
export function useRole(token) {
  const [role, setRole] = useState("admin");
  useEffect(() => {
    let isStale = false;
    getJson("/whoami").then(
      (caller) => isStale || setRole(caller.role),
      () => {},
    );
    return () => {
      isStale = true;
    };
  }, [token]);
  return role;
}

/** Return a function that says whether the token permits what needs a role. */
export function useAccess() {
  const role = useContext(AccessContext);
  return (/** @type {string} */ needed) => RANKS.indexOf(role) >= RANKS.indexOf(needed);
}
