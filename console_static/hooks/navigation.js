// Navigation between pages without reloading: plain links and the browser's buttons work.

import { createContext, useContext, useEffect, useState } from "../vendor/preact.js";
import { parseAddress } from "../state/address.js";

const Route = createContext(null);
export const RouteProvider = Route.Provider;

/** Return the current route, as `parseAddress` returns it, from the RouteProvider around the component. */
export const useRoute = () => useContext(Route);

/** Return the route of the address, updated when it changes. Makes plain links navigate without a reload. */
export function useAddress() {
  const readRoute = () => parseAddress(location.pathname.slice(consolePath().length), location.search);
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

/** The path of the console's own address, with a slash at its end: `/`, or what a proxy has put before it. */
const consolePath = () => new URL(document.baseURI).pathname;

/** Go to an address of the console. With `replace`, it replaces the current one in the browser's history. */
export function navigate(address, replace = false) {
  const url = new URL(address, document.baseURI);
  if (url.pathname + url.search === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
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
  if (!url.pathname.startsWith(consolePath())) return;
  event.preventDefault();
  navigate(url.href);
}
