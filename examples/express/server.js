// An Express app that ends well, alone and as one of several workers.
const express = require('express');
const { setTimeout: sleep } = require('node:timers/promises');

const app = express();

app.get('/', (request, response) => {
  response.json({ hello: 'world', pid: process.pid });
});

// Takes as long as it is told, to see what a stop does to a request in flight.
app.get('/slow', async (request, response) => {
  const ms = Math.min(Number(request.query.ms) || 2000, 60_000);
  await sleep(ms);
  response.json({ slow: ms, pid: process.pid });
});

const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
  console.log('listening');
});

// With -i, pidone has closed the server by then and the requests have been answered; alone, that is done here.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    console.log(`${signal}: closing`);
    // What the app holds, such as a pool of database connections, is closed in here.
    server.close(() => process.exit(0));
  });
}
