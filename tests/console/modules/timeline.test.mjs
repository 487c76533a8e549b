// What a history says of when things happened, and where that stands on the axis.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowOf, randomOf } from "./flows.mjs";

const base = process.env.LFR_CONSOLE;
const { MAX_ITEMS, buildHistory, listVisibleRows, isRunning } = await import(
  `${base}/timeline/history-rows.js`
);
const { drawDenseBars } = await import(`${base}/timeline/dense-bars.js`);
const { createScale, splitTime, formatTick } = await import(`${base}/timeline/time-scale.js`);

const ZERO = Date.parse("2026-11-28T10:00:00Z");
const flow = flowOf([["a", "wait:delay", "b"]]); // 0 start, 1 a, 2 wait:delay, 3 b, 4 end
const facts = (...rows) =>
  rows.map(([seconds, index, event, item = null, reason = null]) => ({
    at: new Date(ZERO + seconds * 1000).toISOString(),
    index,
    item,
    event,
    reason,
  }));
const summarize = (history) =>
  history.rows.map((row) => [
    row.index,
    ...row.bars.map((bar) =>
      bar.segments.map(({ begin, end, outcome }) => [
        (begin - ZERO) / 1000,
        end === null ? null : (end - ZERO) / 1000,
        outcome,
      ]),
    ),
  ]);

test("a bar for each invocation, rows by when they began, nothing for what passes", () => {
  const history = buildHistory(
    facts(
      [0, 0, "started"],
      [0, 0, "ended"],
      [0, 1, "started"],
      [2, 1, "ended"],
      [2, 2, "started"],
      [5, 2, "ended"],
      [5, 3, "started"],
    ),
    flow,
  );
  assert.deepEqual(summarize(history), [
    [1, [[0, 2, "done"]]],
    [2, [[2, 5, "done"]]],
    [3, [[5, null, "running"]]],
  ]);
  assert.deepEqual(
    history.rows.map((row) => row.waits),
    [false, true, false],
  );
  assert.ok(history.isOpen && isRunning(history.rows[2]) && !isRunning(history.rows[0]));
  assert.equal(buildHistory([], flow), null);
});

test("attempts are segments, with the time between them apart", () => {
  const history = buildHistory(
    facts(
      [0, 1, "started"],
      [1, 1, "retried", null, "why"],
      [3, 1, "started"],
      [4, 1, "retried"],
      [4, 1, "started"],
      [6, 1, "ended"],
    ),
    flow,
  );
  assert.deepEqual(summarize(history), [
    [
      1,
      [
        [0, 1, "failed"],
        [1, 3, "delayed"],
        [3, 4, "failed"],
        [4, 6, "done"],
      ],
    ],
  ]);
  assert.equal(history.rows[0].bars[0].segments[0].reason, "why");
  assert.deepEqual(
    history.rows[0].bars[0].segments.map((segment) => segment.attempt),
    [1, 2, 2, 3],
  );
});

test("terminated, what runs is stopped; restarted, it has another bar", () => {
  const history = buildHistory(
    facts(
      [0, 1, "started"],
      [3, null, "terminated"],
      [9, null, "restarted"],
      [9, 1, "started"],
      [10, 1, "failed", null, "no"],
      [10, null, "failed"],
    ),
    flow,
  );
  assert.deepEqual(summarize(history), [[1, [[0, 3, "stopped"]], [[9, 10, "failed"]]]]);
  assert.deepEqual(
    history.marks.map((mark) => mark.event),
    ["terminated", "restarted", "failed"],
  );
  assert.equal(history.isOpen, false);
});

test("a turn of a loop is another bar, also if the one before still runs; skipped steps have a row", () => {
  const history = buildHistory(
    facts([0, 1, "started"], [1, 1, "started"], [2, 1, "ended"], [4, 1, "ended"], [4, 3, "skipped"]),
    flow,
  );
  assert.deepEqual(summarize(history), [
    [1, [[0, 2, "done"]], [[1, 4, "done"]]],
    [3, [[4, 4, "skipped"]]],
  ]);
});

test("items have rows of their own, below their step when it is opened", () => {
  const many = Array.from({ length: MAX_ITEMS + 50 }, (_, item) => [1, 1, "started", item]);
  const history = buildHistory(
    facts([0, 1, "started"], ...many, [2, 1, "ended", 7], [3, 1, "failed", 8, "bad"]),
    flow,
  );
  assert.equal(history.rows.length, 1);
  assert.equal(history.rows[0].items, MAX_ITEMS + 50);
  assert.equal(listVisibleRows(history, new Set()).length, 1);
  const rows = listVisibleRows(history, new Set([1]));
  assert.equal(rows.length, 1 + MAX_ITEMS + 1);
  assert.equal(rows.at(-1).more, 50);
  assert.equal(rows[9].bars[0].segments[0].reason, "bad");
});

test("items of which nothing more is heard end with their step", () => {
  const items = [
    [1, 1, "started", 0],
    [1, 1, "started", 1],
    [2, 1, "failed", 1, "bad"],
  ];
  const going = buildHistory(facts([0, 1, "started"], ...items), flow);
  assert.deepEqual(going.items.get(1).map(isRunning), [true, false]);
  const failed = buildHistory(
    facts([0, 1, "started"], ...items, [3, 1, "failed", null, "bad"], [3, null, "failed"]),
    flow,
  );
  const [silent] = failed.items.get(1);
  assert.deepEqual(
    silent.bars.map(({ begin, end, segments }) => [
      (begin - ZERO) / 1000,
      (end - ZERO) / 1000,
      segments[0].outcome,
    ]),
    [[1, 3, "stopped"]],
  );
  assert.equal(failed.isOpen, false);
});

const pieces = (history, to) =>
  splitTime(history, history.begin, to ?? history.last).map(({ from, to, isCut }) => [
    (from - ZERO) / 1000,
    (to - ZERO) / 1000,
    isCut,
  ]);

test("hours in which nothing works are cut out, and what works is not", () => {
  const idle = buildHistory(
    facts(
      [0, 1, "started"],
      [10, 1, "ended"],
      [10, 2, "started"],
      [7210, 2, "ended"],
      [7210, 3, "started"],
      [7215, 3, "ended"],
    ),
    flow,
  );
  const [before, cut, after] = pieces(idle);
  assert.ok(before[0] === 0 && before[1] > 10 && before[1] < 20 && !before[2]);
  assert.ok(cut[2] && cut[1] - cut[0] > 7150);
  assert.ok(after[1] === 7215 && !after[2]);
  const busy = buildHistory(
    facts([0, 1, "started"], [7200, 1, "ended"], [7200, 3, "started"], [7201, 3, "ended"]),
    flow,
  );
  assert.equal(pieces(busy).length, 1);
  const waits = buildHistory(facts([0, 1, "started"], [10, 1, "ended"], [10, 2, "started"]), flow);
  assert.equal(
    pieces(waits, ZERO + 3_600_000).filter((piece) => piece[2]).length,
    1,
    "a wait that goes on, too",
  );
});

test("pieces follow each other without gaps; positions and times are inverse", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomOf(seed);
    const list = [];
    let at = 0;
    for (let count = 0; count < 40; count += 1) {
      at += random() < 0.1 ? random() * 50_000 : random() * 5;
      list.push([
        at,
        1 + Math.floor(random() * 3),
        ["started", "ended", "retried", "failed", "skipped"][Math.floor(random() * 5)],
      ]);
    }
    const history = buildHistory(facts(...list), flow);
    const end = history.last + 1000;
    const pieces = splitTime(history, history.begin, end);
    assert.equal(pieces[0].from, history.begin);
    assert.equal(pieces.at(-1).to, end);
    for (const [position, piece] of pieces.entries()) {
      assert.ok(piece.to >= piece.from, `seed ${seed}`);
      if (position) assert.equal(piece.from, pieces[position - 1].to);
    }
    const scale = createScale(pieces, 900);
    let last = -1;
    for (let share = 0; share <= 1; share += 0.02) {
      const time = history.begin + (end - history.begin) * share;
      assert.ok(scale.x(time) >= last && scale.x(time) <= 900.001);
      last = scale.x(time);
      assert.ok(Math.abs(scale.time(scale.x(time)) - time) < 1 + (end - history.begin) * 1e-9);
    }
    const xs = scale.ticks.map((tick) => tick.x);
    assert.ok(xs.every((x, position) => x >= 0 && x <= 900 && (position === 0 || x > xs[position - 1])));
    assert.ok(xs.length < 30);
  }
});

test("ticks stand at round times, with the date where the day changes", () => {
  const scale = createScale([{ from: ZERO + 300, to: ZERO + 60_300, isCut: false }], 1000);
  assert.equal(scale.step, 10_000);
  assert.ok(scale.ticks.every((tick) => tick.time % 10_000 === 0));
  const minute = { from: ZERO, to: ZERO + 60_000, isCut: false };
  const cut = createScale(
    [
      minute,
      { from: ZERO + 60_000, to: ZERO + 9e6, isCut: true },
      { from: ZERO + 9e6, to: ZERO + 9.06e6, isCut: false },
    ],
    800,
  );
  const [{ x, width }] = cut.cuts;
  assert.ok(cut.ticks.length > 2);
  assert.ok(
    cut.ticks.every((tick) => tick.x <= x - 34 || tick.x >= x + width + 17),
    "no label isRunning into that of a cut",
  );
  const day = new Date(2026, 10, 28, 23, 0).getTime();
  assert.equal(formatTick(day, 3_600_000, null), "23:00");
  assert.equal(formatTick(day + 3_600_000, 3_600_000, day), "11-29 00:00");
  assert.equal(formatTick(day + 500, 100, day), "23:00:00.5");
  assert.equal(formatTick(day, 86_400_000, null), "11-28");
});

test("a row with thousands of bars is drawn by a few paths, failures on top, none of them lost", () => {
  const bars = Array.from({ length: 25_000 }, (_, place) => ({
    segments: [
      {
        begin: ZERO + place * 40,
        end: ZERO + place * 40 + 30,
        outcome: place === 12_000 ? "failed" : "done",
        attempt: 1,
      },
    ],
  }));
  const x = (time) => ((time - ZERO) / 1_000_000) * 800;
  const paths = drawDenseBars(bars, { x, end: ZERO + 1_000_000, top: 8, height: 14, least: 3 });
  assert.deepEqual(
    paths.map(({ outcome, count }) => [outcome, count]),
    [
      ["done", 24_999],
      ["failed", 1],
    ],
  );
  assert.equal(paths[0].path, "M0 8H802v14H0z", "what touches is one");
  assert.equal(paths[1].path, "M384 8H387v14H384z", "a failure is wide enough to see");
  const apart = drawDenseBars(bars.slice(0, 2), {
    x: (time) => time - ZERO,
    end: 0,
    top: 0,
    height: 1,
    least: 3,
  });
  assert.equal(apart[0].path, "M0 0H30v1H0zM40 0H70v1H40z");
});

test("a loop of fifty thousand facts is read in one pass", () => {
  const many = Array.from({ length: 50_000 }, (_, place) => [place / 10, 1, place % 2 ? "ended" : "started"]);
  const history = buildHistory(facts(...many), flow);
  assert.equal(history.rows[0].bars.length, 25_000);
  assert.deepEqual(history.rows[0].open, []);
});
