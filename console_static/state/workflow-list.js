// A page of the list of workflows, and its live updates. No DOM.

import { matchesFilters } from "./list-filter.js";

/** Return whether a workflow stands below a row of a list: it started before, or then and has a lower id. */
function isBefore(workflow, row) {
  if (!row || workflow.started !== row.started) return Boolean(row) && workflow.started < row.started;
  return workflow.id < row.id;
}

/** The limit of counted new workflows, for pages that stay open for days. */
export const MAX_NEW = 999;

/**
 * Create a page of the list from its loaded rows.
 *
 * @param {object[]} rows newest first
 * @param {{isFirst: boolean, isLast: boolean}} position of the page
 */
export const createList = (rows, { isFirst, isLast }) => ({
  rows,
  newIds: [],
  isFirst,
  isLast,
  otherIds: null,
});

/**
 * Return the list after an update. Rows keep their place; those that are gone stay, marked by `isDeleted`.
 * New workflows get no row; their ids are in `newIds`.
 *
 * @param {object} list
 * @param {{changed: object[], gone: string[]}} update from `/live`
 * @param {object} filters of the list
 */
export function applyListUpdate(list, { changed, gone }, filters) {
  const changedById = new Map(changed.map((workflow) => [workflow.id, workflow]));
  const deleted = new Set(gone);
  const rows = list.rows.map((row) => {
    const change = changedById.get(row.id);
    if (change) return "bytes" in row ? { ...change, bytes: row.bytes } : change;
    return deleted.has(row.id) ? { ...row, isDeleted: true } : row;
  });
  // A later page counts no workflow of the first update: these existed when the page was loaded.
  const otherIds = list.isFirst ? null : (list.otherIds ?? new Set(changedById.keys()));
  const knownIds = new Set([...rows.map((row) => row.id), ...list.newIds, ...(otherIds ?? [])]);
  const oldest = list.isFirst && list.isLast ? undefined : rows[list.isFirst ? rows.length - 1 : 0];
  const newWorkflows = changed.filter(
    (workflow) =>
      !knownIds.has(workflow.id) && !isBefore(workflow, oldest) && matchesFilters(workflow, filters),
  );
  return {
    ...list,
    rows,
    otherIds,
    newIds: [...list.newIds, ...newWorkflows.map((workflow) => workflow.id)].slice(0, MAX_NEW),
  };
}
