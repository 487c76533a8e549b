// Server-sent events, in parts that break anywhere.

import assert from "node:assert/strict";
import { test } from "node:test";

const { EventParser } = await import(`${process.env.LFR_CONSOLE}/client/stream.js`);

const STREAM = [
  "retry: 2000\n\n",
  ": alive\n\n",
  'event: workflows\ndata: {"a": "ü: 😀"}\n\n',
  'id: 17-0\nevent: change\ndata: {"a":\ndata: 1}\n\n',
  "event: end\r\ndata: {}\r\n\r\n",
  "event: nothing\n\n",
  "data:[1]\n\n",
].join("");

const EVENTS = [
  { name: "workflows", id: "", data: { a: "ü: 😀" } },
  { name: "change", id: "17-0", data: { a: 1 } },
  { name: "end", id: "", data: {} },
  { name: "message", id: "", data: [1] },
];

test("a stream is read as a whole", () => {
  assert.deepEqual(new EventParser().parse(STREAM), EVENTS);
});

test("and in any two or more parts", () => {
  for (let at = 0; at <= STREAM.length; at += 1) {
    const reader = new EventParser();
    assert.deepEqual(
      [...reader.parse(STREAM.slice(0, at)), ...reader.parse(STREAM.slice(at))],
      EVENTS,
      `broken at ${at}`,
    );
  }
  const reader = new EventParser();
  assert.deepEqual(
    [...STREAM].flatMap((sign) => reader.parse(sign)),
    EVENTS,
  );
});

test("an event that is not whole is not told", () => {
  const reader = new EventParser();
  assert.deepEqual(reader.parse('event: change\ndata: {"a": 1}\n'), []);
  assert.deepEqual(reader.parse("\n"), [{ name: "change", id: "", data: { a: 1 } }]);
});
