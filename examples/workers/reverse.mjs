// A worker in Node without any package:  node reverse.mjs PORT
// It does the task `text:reverse-words`, which reverses the order of the words of a text.

import { connect } from "node:net";

const STREAM = "workflows:run", GROUP = "reverse", ME = `reverse-${process.pid}`;
const socket = connect(Number(process.argv[2]), "127.0.0.1");
const waiting = [];
let data = Buffer.alloc(0);

/** Send one command. Return a promise of its reply. */
function call(...words) {
  const parts = words.map(String).map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  socket.write(`*${parts.length}\r\n${parts.join("")}`);
  return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
}

/** Return the reply (RESP2) at an offset and the offset of the next; undefined if it is not complete. */
function read(offset) {
  const end = data.indexOf("\r\n", offset);
  if (end < 0) return undefined;
  const kind = String.fromCharCode(data[offset]), rest = data.toString("utf8", offset + 1, end), size = Number(rest);
  if (kind === "$" && size >= 0) {
    const next = end + 2 + size + 2;
    return data.length < next ? undefined : { value: data.toString("utf8", end + 2, next - 2), next };
  }
  if (kind === "*" && size >= 0) {
    const value = [];
    let next = end + 2;
    for (let i = 0; i < size; i++) {
      const item = read(next);
      if (!item) return undefined;
      value.push(item.value);
      next = item.next;
    }
    return { value, next };
  }
  return { value: kind === "-" ? new Error(rest) : kind === "+" ? rest : size < 0 ? null : size, next: end + 2 };
}

socket.on("data", (more) => {
  data = Buffer.concat([data, more]);
  for (let reply; waiting.length && (reply = read(0)); ) {
    data = data.subarray(reply.next);
    const { resolve, reject } = waiting.shift();
    reply.value instanceof Error ? reject(reply.value) : resolve(reply.value);
  }
});

/** Append an event. Each of its fields is JSON by itself. */
const append = (event) =>
  call("XADD", STREAM, "*", ...Object.entries({ apiVersion: "v1", ...event }).flatMap(([name, value]) => [name, JSON.stringify(value)]));

/** Return the event of an entry. A malformed one counts as empty: lfr moves it to the dead letters. */
function readEvent(flat) {
  const event = {};
  try {
    for (let i = 0; i < flat.length; i += 2) event[flat[i]] = JSON.parse(flat[i + 1]);
  } catch {
    return {};
  }
  return event;
}

/** Do the task. Return its output, or why it failed. */
function work({ input }) {
  try {
    return { status: "SUCCESS", output: { text: input.text.split(" ").reverse().join(" ") } };
  } catch (error) {
    return { status: "FAILURE", reason: String(error) };
  }
}

async function handle(id, flat) {
  const event = readEvent(flat);
  if (event.kind === "start-task" && event.base === "text:reverse-words") {
    const { workflow = null, name = null, index = null, attempt = null, run = null } = event;
    await append({ kind: "end-task", workflow, name, index, attempt, run, ...work(event) });
    await append({ kind: "receipt", for: id, action: "processed" });
  }
  await call("XACK", STREAM, GROUP, id);
}

await call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM").catch(() => {}); // the group exists already
for (;;) {
  const [, reclaimed] = await call("XAUTOCLAIM", STREAM, GROUP, ME, 30000, "0-0", "COUNT", 10);
  const reply = await call("XREADGROUP", "GROUP", GROUP, ME, "COUNT", 10, "BLOCK", 1000, "STREAMS", STREAM, ">");
  for (const [id, flat] of [...reclaimed, ...(reply ? reply[0][1] : [])]) await handle(id, flat);
}
