// An address <-> what it shows. All of a page's state that is worth a link is in its address.

const PAGES = { "/": "workflows", "/start": "start", "/events": "events", "/system": "system" };

/** What an address shows: `page`, the workflow's `id` on that page, and its parameters as an object. */
export function readRoute(path, search) {
  const params = Object.fromEntries(new URLSearchParams(search));
  if (path.length > "/workflows/".length && path.startsWith("/workflows/")) return { page: "workflow", id: decoded(path.slice("/workflows/".length)), params };
  return { page: PAGES[path] ?? "nothing", id: "", params };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** An address with these parameters; those that are empty are left out. */
export function address(path, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given).toString();
  return query ? `${path}?${query}` : path;
}

/** A workflow's page. Its id has colons and, of an item, slashes in it. */
export const workflowPath = (id) => `/workflows/${encodeURIComponent(id).replaceAll("%3A", ":").replaceAll("%2F", "/")}`;

/** An id without the word that all of them begin with. */
export const shortId = (id) => id.replace(/^workflow:/, "");
