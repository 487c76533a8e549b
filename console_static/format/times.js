// Formats times (ISO 8601 texts of the API) and durations (milliseconds).

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** @type {[number, string, number, string][]} */
const UNIT_PAIRS = [
  [DAY, "d", HOUR, "h"],
  [HOUR, "h", MINUTE, "min"],
  [MINUTE, "min", SECOND, "s"],
];

/** Format a duration in up to two units: `40 ms`, `0.4 s`, `12 s`, `3 min 5 s`; empty if it is negative. */
export function formatDuration(ms) {
  if (!(ms >= 0)) return "";
  if (ms < SECOND) return ms < 100 ? `${Math.round(ms)} ms` : `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  for (const [large, name, small, rest] of UNIT_PAIRS) {
    if (ms < large) continue;
    const remainder = Math.floor((ms % large) / small);
    return `${Math.floor(ms / large)} ${name}${remainder ? ` ${remainder} ${rest}` : ""}`;
  }
  return "";
}

/** Format the time from `start` to `end`, or to now if there is no end. Empty without a start. */
export function formatElapsed(start, end, now) {
  if (!start) return "";
  return formatDuration(Math.max(0, (end ? Date.parse(end) : now) - Date.parse(start)));
}

/** Format a past time in one unit: `just now`, `12 s ago`, `5 min ago`, `30 h ago`, `3 d ago`. */
export function formatAgo(iso, now) {
  const ms = now - Date.parse(iso);
  if (!(ms >= 5 * SECOND)) return "just now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  return ms < 2 * DAY ? `${Math.floor(ms / HOUR)} h ago` : `${Math.floor(ms / DAY)} d ago`;
}

/** Format the time up to a future time: `in 12 s`, `in 2 h 4 min`, `now`. */
export function formatUntil(iso, now) {
  const ms = Date.parse(iso) - now;
  return ms > 0 ? `in ${formatDuration(Math.max(SECOND, ms))}` : "now";
}

const pad = (number, length = 2) => String(number).padStart(length, "0");

/** Format the local time of day, `14:03:07`; with the date if it is another day than that of `now`. */
export function formatClock(iso, now = Date.now()) {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const isToday = time.toDateString() === new Date(now).toDateString();
  return isToday ? formatTimeOfDay(time) : `${formatDate(time)} ${formatTimeOfDay(time)}`;
}

/** Format the local date, time with milliseconds, and the offset from UTC. Empty if it is no time. */
export function formatExact(iso) {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const offset = -time.getTimezoneOffset();
  const minutes = Math.abs(offset);
  const zone = `UTC${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
  return `${formatDate(time)} ${formatTimeOfDay(time)}.${pad(time.getMilliseconds(), 3)} ${zone}`;
}

/** Format the local date of a Date: `2026-11-28`. */
export const formatDate = (time) =>
  `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;

const formatTimeOfDay = (time) =>
  `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
