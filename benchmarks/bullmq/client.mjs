// Starts BullMQ flows and prints the seconds that they take: node client.mjs PORT
//
// Prints "ready" after a first chain. Then each line on stdin names a workload, and its seconds are printed as
// a JSON list:
//
//   throughput N   N chains of ten jobs, from the first start to the last end
//   chain N        N chains of twenty jobs, one after the other
//   fan N TURNS    so many times: one job, then N jobs, then one
//
// BullMQ runs children before their parent, so the last step of a chain is the root of its tree.
import { createInterface } from "node:readline";
import { FlowProducer, QueueEvents } from "bullmq";
import IORedis from "ioredis";

const BULK = 100;
const port = Number(process.argv[2]);
const connection = new IORedis(port, "127.0.0.1", { maxRetriesPerRequest: null });
const flows = new FlowProducer({ connection });
const queueEvents = new QueueEvents("bench", { connection: connection.duplicate() });
await queueEvents.waitUntilReady();

/** Ids of the jobs that have ended, and the callbacks of those that somebody waits for. */
const ended = new Set();
const callbacks = new Map();
queueEvents.on("completed", ({ jobId }) => {
  ended.add(jobId);
  callbacks.get(jobId)?.();
});

function untilEnded(id) {
  return ended.has(id) ? Promise.resolve() : new Promise((resolve) => callbacks.set(id, resolve));
}

function job(children) {
  return { name: "task", queueName: "bench", data: {}, opts: { removeOnComplete: true }, children };
}

function chain(length) {
  let node;
  for (let position = 0; position < length; position++) node = job(node && [node]);
  return node;
}

async function run(tree) {
  const { job } = await flows.add(tree);
  await untilEnded(job.id);
}

async function seconds(work) {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

async function throughput(number) {
  const roots = [];
  for (let from = 0; from < number; from += BULK) {
    const trees = Array.from({ length: Math.min(BULK, number - from) }, () => chain(10));
    for (const { job } of await flows.addBulk(trees)) roots.push(untilEnded(job.id));
  }
  await Promise.all(roots);
}

async function fan(number) {
  await run(job());
  await run(job(Array.from({ length: number }, () => job())));
}

async function measure(workload, number, turns) {
  const results = [];
  if (workload === "throughput") results.push(await seconds(() => throughput(number)));
  if (workload === "chain") for (let turn = 0; turn < number; turn++) results.push(await seconds(() => run(chain(20))));
  if (workload === "fan") for (let turn = 0; turn < turns; turn++) results.push(await seconds(() => fan(number)));
  ended.clear();
  callbacks.clear();
  return results;
}

await run(chain(10));
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [workload, number, turns] = line.split(" ");
  console.log(JSON.stringify(await measure(workload, Number(number), Number(turns))));
}
process.exit(0);
