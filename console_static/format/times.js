// Times and durations, in words. Times are ISO 8601 texts as the API has them; durations are milliseconds.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration in its two largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`, `3 d 2 h`. */
export function duration(ms) {
  if (!(ms >= 0)) return "";
  if (ms < SECOND) return ms < 100 ? `${Math.round(ms)} ms` : `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  for (const [large, name, small, rest] of [[DAY, "d", HOUR, "h"], [HOUR, "h", MINUTE, "min"], [MINUTE, "min", SECOND, "s"]]) {
    if (ms < large) continue;
    const left = Math.floor((ms % large) / small);
    return `${Math.floor(ms / large)} ${name}${left ? ` ${left} ${rest}` : ""}`;
  }
  return "";
}

/** How long it took from one time to another, or has taken until now. Empty if it has not begun. */
export function between(start, end, now) {
  if (!start) return "";
  return duration(Math.max(0, (end ? Date.parse(end) : now) - Date.parse(start)));
}

/** How long ago, in one unit: `just now`, `12 s ago`, `5 min ago`, `3 d ago`. */
export function ago(iso, now) {
  const ms = now - Date.parse(iso);
  if (!(ms >= 5 * SECOND)) return "just now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  return ms < 2 * DAY ? `${Math.floor(ms / HOUR)} h ago` : `${Math.floor(ms / DAY)} d ago`;
}

/** How far ahead: `in 12 s`, `in 2 h 4 min`, `now`. */
export function ahead(iso, now) {
  const ms = Date.parse(iso) - now;
  return ms > 0 ? `in ${duration(Math.max(SECOND, ms))}` : "now";
}

const pad = (number, length = 2) => String(number).padStart(length, "0");

/** The time of day on this computer, `14:03:07`; with the date if it is another day than `now`. */
export function clock(iso, now = Date.now()) {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const told = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
  return time.toDateString() === new Date(now).toDateString() ? told : `${date(time)} ${told}`;
}

/** A time in full, with the zone of this computer: for those who want to know exactly. */
export function exact(iso) {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const zone = -time.getTimezoneOffset();
  const sign = zone < 0 ? "-" : "+";
  const told = `${pad(Math.floor(Math.abs(zone) / 60))}:${pad(Math.abs(zone) % 60)}`;
  const day = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}.${pad(time.getMilliseconds(), 3)}`;
  return `${date(time)} ${day} UTC${sign}${told}`;
}

const date = (time) => `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
