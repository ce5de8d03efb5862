// A Fastify app that ends well: requests in flight are answered before it goes.
const fastify = require('fastify')({ logger: true });
const { setTimeout: sleep } = require('node:timers/promises');

fastify.get('/', async () => ({ hello: 'world', pid: process.pid }));

// Takes as long as it is told, to see what a stop does to a request in flight.
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

// Two that fail where no handler of Fastify's is around them, to see what becomes of the app.
fastify.get('/throw', (request, reply) => {
  setImmediate(() => { throw new Error('nobody catches this'); });
});
fastify.get('/reject', (request, reply) => {
  setImmediate(async () => { throw new Error('nobody awaits this'); });
});

let ending = false;
let code = 0;

// Closes once, whatever comes first. Asked to stop, it sets no deadline: that of pidone and the runtime (`--grace`,
// `docker stop -t`, terminationGracePeriodSeconds) is the one that rules.
async function end(reason, error) {
  if (error !== undefined) {
    code = 1;
    fastify.log.fatal({ err: error }, reason);
    // Nobody else sets one here, and a request that has failed this way may never be answered.
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
