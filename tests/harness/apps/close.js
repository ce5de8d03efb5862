// Closes its server when it is asked to end, and expects the process to end by itself.
const server = require('http').createServer(require('./answer.js'));
server.listen(process.env.PORT, () => console.log('up', process.pid));
process.on('SIGTERM', () => {
  console.log('SIGTERM', process.pid);
  server.close();
});
