// Addresses of pages <-> routes. An address holds all state of a page that is worth a link. It is relative to
// that of the console, which a proxy may have below one of its own.

// As the server has it. An id of `..` would make the console ask for another path of the API.
const ID = /^(?!\.{1,2}(?:\/|$))[\p{L}\p{N}_.:-]{1,300}(?:\/\d{1,7}\.\d{1,9}(?:\.\d{1,9})?){0,100}$/u;

const PAGES = new Map([
  ["", "workflows"],
  ["failures", "failures"],
  ["start", "start"],
  ["schedules", "schedules"],
  ["waiting", "waiting"],
  ["workers", "workers"],
  ["events", "events"],
  ["notices", "notices"],
  ["system", "system"],
  ["docs", "docs"],
  ["compare", "compare"],
]);

/**
 * Parse an address, its path below that of the console: `page` ("nothing": unknown), `id` of a workflow,
 * name of a flow, or empty, and the query as `params`.
 */
export function parseAddress(path, search) {
  const params = Object.fromEntries(new URLSearchParams(search));
  if (path.startsWith("workflows/")) {
    const id = decode(path.slice("workflows/".length));
    return ID.test(id) ? { page: "workflow", id, params } : { page: "nothing", id: "", params };
  }
  if (path.startsWith("flows/")) return { page: "flow", id: decode(path.slice("flows/".length)), params };
  return { page: PAGES.get(path) ?? "nothing", id: "", params };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Build an address with query parameters, without empty ones. */
export function buildAddress(path, params = {}) {
  const entries = Object.entries(params).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const query = new URLSearchParams(entries).toString();
  return query ? `${path}?${query}` : path;
}

/** Return the address of a workflow's page. Ids have colons, those of items slashes, too. */
export const workflowAddress = (id) =>
  `workflows/${encodeURIComponent(id).replaceAll("%3A", ":").replaceAll("%2F", "/")}`;

/** Return an id without the prefix that all ids have. */
export const shortenId = (id) => id.replace(/^workflow:/, "");
