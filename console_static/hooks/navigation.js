// Going from page to page without loading anew: links are links, and the browser's buttons work.

import { createContext, useContext, useEffect, useState } from "../vendor/preact.js";
import { readRoute } from "../state/address.js";

const Route = createContext(null);
export const RouteProvider = Route.Provider;

/** What the address shows now. */
export const useRoute = () => useContext(Route);

/** Follow the address. */
export function useLocation() {
  const read = () => readRoute(location.pathname, location.search);
  const [route, setRoute] = useState(read());
  useEffect(() => {
    const changed = () => setRoute(read());
    addEventListener("popstate", changed);
    document.addEventListener("click", follow);
    return () => {
      removeEventListener("popstate", changed);
      document.removeEventListener("click", follow);
    };
  }, []);
  return route;
}

/** Go to an address; with `replace`, in place of the present one. */
export function go(address, replace = false) {
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  if (!replace) scrollTo(0, 0);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** A plain click on a link to one of our pages does not load the document anew. */
function follow(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || link.target || link.hasAttribute("download")) return;
  event.preventDefault();
  go(url.pathname + url.search);
}
