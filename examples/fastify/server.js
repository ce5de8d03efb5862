// A Fastify app that stops gracefully: it answers requests in flight before it exits.
const fastify = require('fastify')({ logger: true });
const { setTimeout: sleep } = require('node:timers/promises');

fastify.get('/', async () => ({ hello: 'world', pid: process.pid }));

// Takes as long as the client asks for: to see what a stop does to a request in flight.
fastify.get('/slow', {
  schema: {
    querystring: {
      type: 'object',
      properties: { ms: { type: 'integer', minimum: 0, maximum: 60_000, default: 2000 } },
    },
  },
}, async (request) => {
  await sleep(request.query.ms);
  return { slow: request.query.ms, pid: process.pid };
});

// These two fail outside of Fastify's error handling: to see what the app does then.
fastify.get('/throw', (request, reply) => {
  setImmediate(() => { throw new Error('not caught'); });
});
fastify.get('/reject', (request, reply) => {
  setImmediate(async () => { throw new Error('not awaited'); });
});

let ending = false;
let code = 0;

// Closes once, for the first reason. For a signal it sets no deadline: pidone and the container runtime have theirs
// (`--grace`, `docker stop -t`, terminationGracePeriodSeconds).
async function end(reason, error) {
  if (error !== undefined) {
    code = 1;
    fastify.log.fatal({ err: error }, reason);
    // Here no other deadline applies, and a request that has failed this way may never be answered.
    setTimeout(() => process.exit(code), 5000).unref();
  }
  if (ending) return;
  ending = true;
  fastify.log.info(`${reason}: closing`);
  try {
    await fastify.close();
  } catch (failure) {
    code = 1;
    fastify.log.error({ err: failure }, 'closing failed');
  }
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(signal));
for (const event of ['uncaughtException', 'unhandledRejection']) {
  // `throw undefined` and `Promise.reject()` are errors too.
  process.on(event, (error) => end(event, error ?? new Error(`${event} without a value`)));
}

fastify.listen({ host: process.env.HOST ?? '0.0.0.0', port: Number(process.env.PORT ?? 3000) })
  .catch((error) => end('listen', error));
