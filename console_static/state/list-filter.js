// The filter of the list of workflows: in the address, as a text for the API, and for live updates. No DOM.

/**
 * The parameters of the address that filter the list. `label` has one or more labels, NAME=VALUE, with spaces
 * between them.
 */
const FILTER_NAMES = ["state", "name", "text", "label", "since", "ended", "reason", "failure", "parent"];

/**
 * Return those of the parameters of an address that filter the list.
 *
 * @returns {Record<string, string | undefined>}
 */
export const pickFilters = (params) =>
  Object.fromEntries(FILTER_NAMES.filter((name) => params[name]).map((name) => [name, params[name]]));

const quote = (text) => `"${text.replace(/[\\"]/g, "\\$&")}"`;

const splitLabels = (label) => (label ?? "").split(/\s+/).filter(Boolean);

function formatLabel(text) {
  const at = text.indexOf("=");
  return at < 0 ? `label.${text}` : `label.${text.slice(0, at)}=${quote(text.slice(at + 1))}`;
}

/**
 * Return the filter as the parameter `where` of the API; empty: all workflows.
 *
 * @param {Record<string, string | undefined>} filters
 */
export function formatWhere({ state, name, text, label, since, ended, reason, failure, parent }) {
  const conditions = [
    state && `state=${quote(state)}`,
    name && `flow=${quote(name)}`,
    text && `text~${quote(text)}`,
    ...splitLabels(label).map(formatLabel),
    since && `since=${quote(since)}`,
    ended && `ended=${quote(ended)}`,
    reason && `reason~${quote(reason)}`,
    failure && `failure=${quote(failure)}`,
    parent && `parent=${quote(parent)}`,
  ];
  return conditions.filter(Boolean).join(" ");
}

const contains = (text, part) => !part || (text ?? "").toLowerCase().includes(part.toLowerCase());

/**
 * Return whether a workflow of a live update matches the filter, as the API applies it. What happens now is
 * within any `since` and `ended`. What a workflow failed by, only the API knows: none matches a `failure`.
 */
export function matchesFilters(workflow, { state, name, text, label, reason, ended, failure, parent }) {
  if (parent && workflow.parent !== parent) return false;
  if (failure || (ended && !workflow.ended)) return false;
  if (state && workflow.state !== state) return false;
  if (name && workflow.name !== name) return false;
  const labels = workflow.labels ?? {};
  const hasLabel = (/** @type {string} */ each) => {
    const at = each.indexOf("=");
    return Object.hasOwn(labels, each.slice(0, at)) && labels[each.slice(0, at)] === each.slice(at + 1);
  };
  return (
    splitLabels(label).every(hasLabel) &&
    (contains(workflow.id, text) || contains(workflow.name, text)) &&
    contains(workflow.reason, reason)
  );
}
