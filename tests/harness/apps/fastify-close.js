// Fastify with the handler that its documentation shows.
const fastify = require('fastify')();
const { setTimeout: sleep } = require('timers/promises');
fastify.get('*', async (request) => {
  if (request.url === '/held') await require('./release.js')();
  if (request.query.ms) await sleep(Number(request.query.ms));
  return `${process.pid} ${request.url}`;
});
process.on('SIGTERM', async () => {
  console.log('SIGTERM', process.pid);
  await fastify.close();
  process.exit(0);
});
fastify.listen({ port: Number(process.env.PORT), host: '::' })
  .then(() => console.log('up', process.pid));
