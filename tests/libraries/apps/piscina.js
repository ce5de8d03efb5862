const { isMainThread, threadId } = require('node:worker_threads');
const { listen } = require('./app.js');
if (isMainThread) {
  const Piscina = require('piscina');
  const pool = new Piscina({ filename: __filename, maxThreads: 1 });
  listen({ '/get': () => pool.run({}) });
} else module.exports = () => `thread ${threadId > 0}`;
