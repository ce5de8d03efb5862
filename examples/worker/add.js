// node add.js [COUNT] [MS]: adds COUNT jobs that take MS milliseconds each.
import { Queue } from 'bullmq';
import { connection, name } from './queue.js';

const [count, ms] = [process.argv[2] ?? 10, process.argv[3] ?? 1000].map(Number);
const queue = new Queue(name, { connection });
await queue.addBulk(Array.from({ length: count }, () => ({ name: 'job', data: { ms } })));
await queue.close();
