// A background worker: it takes jobs from a queue, and has no port.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { connection, name } from './queue.js';

const worker = new Worker(name, async (job) => {
  console.log(`begun ${job.id}`);
  // In place of real work.
  await sleep(job.data.ms);
  console.log(`done ${job.id}`);
  return { pid: process.pid };
}, { connection, concurrency: 4 });

worker.on('error', console.error);

// close() takes no new job, and resolves when those in progress have ended.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await worker.close();
    process.exit(0);
  });
}

await worker.waitUntilReady();
// --ready message. Without -i there is no channel to send it on.
process.send?.('ready');
