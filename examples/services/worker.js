// Takes jobs from the database, one at a time. It has no port.
const { setTimeout: sleep } = require('node:timers/promises');
const database = require('./database.js');

const me = process.env.NODE_APP_INSTANCE ?? '0';
// One statement, so no two workers take the same job.
const take = database.prepare(`UPDATE jobs SET state = 'active', worker = ?
  WHERE id = (SELECT id FROM jobs WHERE state = 'waiting' ORDER BY id LIMIT 1) RETURNING id, ms`);
const done = database.prepare(`UPDATE jobs SET state = 'done' WHERE id = ?`);

// The stop signal: finish the job, and take no other. The wait for the next one ends at once.
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

async function main() {
  // --ready message. Without -i there is no channel to send it on.
  process.send?.('ready');
  while (!stop.signal.aborted) {
    const job = take.get(me);
    if (job === undefined) {
      // A broker would say when there is a job.
      await sleep(200, undefined, { signal: stop.signal }).catch(() => {});
      continue;
    }
    // In place of real work.
    await sleep(job.ms);
    done.run(job.id);
    console.log(`job ${job.id} is done`);
  }
  process.exit(0);
}

main();
