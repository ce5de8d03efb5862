// The queue, for worker.js and add.js.
export const name = 'work';
export const connection = { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' };
