// Times and durations, in words.

import assert from "node:assert/strict";
import { test } from "node:test";

process.env.TZ = "Asia/Kolkata";
const { formatAgo, formatUntil, formatElapsed, formatClock, formatDuration, formatExact } = await import(
  `${process.env.LFR_CONSOLE}/format/times.js`
);

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const now = Date.parse("2026-11-28T12:00:00Z");

test("a duration has its two largest units, and is never rounded up", () => {
  const cases = [
    [0, "0 ms"],
    [99, "99 ms"],
    [100, "0.1 s"],
    [999, "0.9 s"],
    [1000, "1.0 s"],
    [9999, "9.9 s"],
    [10_000, "10 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [65_000, "1 min 5 s"],
    [HOUR - 1, "59 min 59 s"],
    [HOUR, "1 h"],
    [2 * HOUR + 240_000, "2 h 4 min"],
    [24 * HOUR, "1 d"],
    [26 * HOUR + 59_000, "1 d 2 h"],
    [1000 * 24 * HOUR, "1000 d"],
    [-1, ""],
    [Number.NaN, ""],
    [undefined, ""],
  ];
  for (const [ms, expected] of cases) assert.equal(formatDuration(ms), expected, String(ms));
});

test("how long something took, or has taken", () => {
  assert.equal(formatElapsed(null, null, now), "");
  assert.equal(formatElapsed("2026-11-28T11:59:00Z", null, now), "1 min");
  assert.equal(formatElapsed("2026-11-28T11:59:00Z", "2026-11-28T11:59:02.5Z", now), "2.5 s");
  // The server's clock is ahead of the browser's.
  assert.equal(formatElapsed("2026-11-28T12:00:05Z", null, now), "0 ms");
});

test("how long ago", () => {
  const cases = [
    [0, "just now"],
    [-5000, "just now"],
    [4999, "just now"],
    [5000, "5 s ago"],
    [59_999, "59 s ago"],
    [60_000, "1 min ago"],
    [HOUR, "1 h ago"],
    [47 * HOUR, "47 h ago"],
    [48 * HOUR, "2 d ago"],
  ];
  for (const [ms, expected] of cases)
    assert.equal(formatAgo(new Date(now - ms).toISOString(), now), expected, String(ms));
});

test("how far ahead", () => {
  assert.equal(formatUntil("2026-11-28T12:01:00Z", now), "in 1 min");
  assert.equal(formatUntil("2026-11-28T12:00:00.2Z", now), "in 1.0 s");
  assert.equal(formatUntil("2026-11-28T12:00:00Z", now), "now");
  assert.equal(formatUntil("2026-11-28T11:00:00Z", now), "now");
});

test("the time of day is this computer's, and has the date if it is another day", () => {
  assert.equal(formatClock("2026-11-28T06:07:08.999Z", now), "11:37:08");
  assert.equal(formatClock("2026-11-27T18:29:59Z", now), "2026-11-27 23:59:59");
  assert.equal(formatClock("never", now), "");
  assert.equal(formatClock(null, Number.NaN), "1970-01-01 05:30:00");
});

test("an exact time has milliseconds and zone", () => {
  assert.equal(formatExact("2026-11-28T06:07:08.009Z"), "2026-11-28 11:37:08.009 UTC+05:30");
  assert.equal(formatExact("nonsense"), "");
});
