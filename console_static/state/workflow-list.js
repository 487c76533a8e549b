// A list of workflows that changes while somebody looks at it.

/** Whether a workflow belongs into a list that is chosen like this. */
export function fits(workflow, { state, name, text }) {
  if (state && workflow.state !== state) return false;
  if (name && workflow.name !== name) return false;
  const wanted = (text ?? "").toLowerCase();
  return !wanted || workflow.id.toLowerCase().includes(wanted) || workflow.name.toLowerCase().includes(wanted);
}

/** More than this many new ones are not counted: a page that is open for days would count all that ever start. */
export const MOST_FRESH = 999;

/**
 * A page of a list as it was loaded.
 *
 * @param {object[]} rows newest first
 * @param {{isFirst: boolean, isLast: boolean}} place of the page among all
 */
export const makeList = (rows, { isFirst, isLast }) => ({ rows, fresh: [], isFirst, isLast, seen: null });

/**
 * The list after news: rows change where they stand, and none moves. What is new is not put in, but counted in `fresh`.
 *
 * @param {object} list
 * @param {{changed: object[], gone: string[]}} told as `/live` tells it; what is gone stays, marked by `isGone`
 * @param {object} chosen what the list is chosen by
 */
export function takeNews(list, { changed, gone }, chosen) {
  const news = new Map(changed.map((workflow) => [workflow.id, workflow]));
  const deleted = new Set(gone);
  const rows = list.rows.map((row) => news.get(row.id) ?? (deleted.has(row.id) ? { ...row, isGone: true } : row));
  const seen = list.isFirst ? null : list.seen ?? new Set(news.keys()); // they were there when this page was loaded
  const known = new Set([...rows.map((row) => row.id), ...list.fresh, ...(seen ?? [])]);
  const oldest = list.isFirst && list.isLast ? "" : rows[list.isFirst ? rows.length - 1 : 0]?.started ?? "";
  const fresh = changed.filter((workflow) => !known.has(workflow.id) && workflow.started >= oldest && fits(workflow, chosen));
  return { ...list, rows, seen, fresh: [...list.fresh, ...fresh.map((workflow) => workflow.id)].slice(0, MOST_FRESH) };
}

/** Do something to each of these, a few at a time; what was against it, by id. */
export async function forEach(ids, act, atOnce = 4) {
  const refused = new Map();
  const waiting = [...ids];
  const work = async () => {
    for (let id; (id = waiting.shift()) !== undefined; ) {
      await act(id).catch((problem) => refused.set(id, problem));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return refused;
}
