// Server-sent events, in parts that break anywhere.

import assert from "node:assert/strict";
import { test } from "node:test";

const { EventReader } = await import(`${process.env.LFR_CONSOLE}/client/event-parser.js`);

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
  assert.deepEqual(new EventReader().read(STREAM), EVENTS);
});

test("and in any two or more parts", () => {
  for (let at = 0; at <= STREAM.length; at += 1) {
    const reader = new EventReader();
    assert.deepEqual([...reader.read(STREAM.slice(0, at)), ...reader.read(STREAM.slice(at))], EVENTS, `broken at ${at}`);
  }
  const reader = new EventReader();
  assert.deepEqual([...STREAM].flatMap((sign) => reader.read(sign)), EVENTS);
});

test("an event that is not whole is not told", () => {
  const reader = new EventReader();
  assert.deepEqual(reader.read('event: change\ndata: {"a": 1}\n'), []);
  assert.deepEqual(reader.read("\n"), [{ name: "change", id: "", data: { a: 1 } }]);
});
