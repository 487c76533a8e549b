// Navigation between pages without reloading: plain links and the browser's buttons work.

import { createContext, useContext, useEffect, useState } from "../vendor/preact.js";
import { parseAddress } from "../state/address.js";

const Route = createContext(null);
export const RouteProvider = Route.Provider;

/** Return the current route, as `parseAddress` returns it, from the RouteProvider around the component. */
export const useRoute = () => useContext(Route);

/** Return the route of the address, updated when it changes. Makes plain links navigate without a reload. */
export function useAddress() {
  const readRoute = () => parseAddress(location.pathname, location.search);
  const [route, setRoute] = useState(readRoute());
  useEffect(() => {
    const update = () => setRoute(readRoute());
    addEventListener("popstate", update);
    document.addEventListener("click", handleClick);
    return () => {
      removeEventListener("popstate", update);
      document.removeEventListener("click", handleClick);
    };
  }, []);
  return route;
}

/** Go to an address. With `replace`, it replaces the current one in the browser's history. */
export function navigate(address, replace = false) {
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  if (!replace) scrollTo(0, 0);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Let a plain click on a link of the console navigate without loading the document. */
function handleClick(event) {
  const link = event.target.closest?.("a[href]");
  const isPlain = !(event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || event.defaultPrevented || !isPlain) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || link.target || link.hasAttribute("download")) return;
  event.preventDefault();
  navigate(url.pathname + url.search);
}
