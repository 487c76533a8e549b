// A list of workflows that changes while somebody looks at it.

/** Whether a workflow belongs into a list that is chosen like this. */
export function fits(workflow, { state, name, text }) {
  if (state && workflow.state !== state) return false;
  if (name && workflow.name !== name) return false;
  const wanted = (text ?? "").toLowerCase();
  return !wanted || workflow.id.toLowerCase().includes(wanted) || workflow.name.toLowerCase().includes(wanted);
}

/**
 * The list after news: rows change where they stand, and none moves. What is new is not put in, but counted.
 *
 * @param {{rows: object[], fresh: string[]}} list
 * @param {{changed: object[], gone: string[]}} told as `/live` tells it; what is gone stays, marked by `isGone`
 * @param {object} chosen what the list is chosen by
 */
export function takeNews(list, { changed, gone }, chosen) {
  const news = new Map(changed.map((workflow) => [workflow.id, workflow]));
  const deleted = new Set(gone);
  const rows = list.rows.map((row) => news.get(row.id) ?? (deleted.has(row.id) ? { ...row, isGone: true } : row));
  const known = new Set([...rows.map((row) => row.id), ...list.fresh]);
  const newest = rows[0]?.started ?? "";
  const fresh = changed.filter((workflow) => !known.has(workflow.id) && workflow.started >= newest && fits(workflow, chosen));
  return { rows, fresh: [...list.fresh, ...fresh.map((workflow) => workflow.id)] };
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
