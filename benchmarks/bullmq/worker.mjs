// A BullMQ worker that returns its input: node worker.mjs PORT CONCURRENCY. Prints "ready" when it reads.
import { Worker } from "bullmq";
import IORedis from "ioredis";

const [port, concurrency] = process.argv.slice(2).map(Number);
const connection = new IORedis(port, "127.0.0.1", { maxRetriesPerRequest: null });
const worker = new Worker("bench", async (job) => job.data, { connection, concurrency });
await worker.waitUntilReady();
console.log("ready");
