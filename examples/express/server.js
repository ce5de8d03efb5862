// An Express app that stops gracefully, alone and as one of several workers.
const express = require('express');
const { setTimeout: sleep } = require('node:timers/promises');

const app = express();

app.get('/', (request, response) => {
  response.json({ hello: 'world', pid: process.pid });
});

// Takes as long as the client asks for: to see what a stop does to a request in flight.
app.get('/slow', async (request, response) => {
  const ms = Math.min(Number(request.query.ms) || 2000, 60_000);
  await sleep(ms);
  response.json({ slow: ms, pid: process.pid });
});

const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
  console.log('listening');
});

// With -i, the server is closed and all requests are answered by now. Without -i, the app does that here.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    console.log(`${signal}: closing`);
    // Close what the app holds here, such as a pool of database connections.
    server.close(() => process.exit(0));
  });
}
