// http-terminator, which waits for requests before it closes the server.
const { createHttpTerminator } = require('http-terminator');
const server = require('http').createServer(require('./answer.js'));
const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: 10_000 });
process.on('SIGTERM', async () => {
  console.log('SIGTERM');
  await terminator.terminate();
  console.log('terminated');
  process.exit(0);
});
server.listen(process.env.PORT, () => console.log('up', process.pid));
