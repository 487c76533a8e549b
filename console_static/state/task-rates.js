// How fast tasks end: from the totals of the API, as they were while the page was open.

const WINDOW_MS = 60_000;

/** Return the samples with those of a response of `/tasks`, without what is older than the window needs. */
export function addSample(samples, tasks, at) {
  const totals = new Map(tasks.map(({ task, ended, failed }) => [task, ended + failed]));
  const all = [...samples, { at, totals }];
  const first = all.findLastIndex((sample) => sample.at <= at - WINDOW_MS);
  return all.slice(Math.max(0, first));
}

/** Return how many attempts of a task have ended a minute, in the last minute; null: not known yet. */
export function measureRate(samples, task) {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || last.at === first.at) return null;
  const count = (last.totals.get(task) ?? 0) - (first.totals.get(task) ?? 0);
  return (60_000 * Math.max(0, count)) / (last.at - first.at);
}
