// @godaddy/terminus, as its documentation shows it.
const { createTerminus } = require('@godaddy/terminus');
const server = require('http').createServer(require('./answer.js'));
createTerminus(server, {
  timeout: 10_000,
  onSignal: async () => console.log('onSignal'),
  onShutdown: async () => console.log('onShutdown'),
});
server.listen(process.env.PORT, () => console.log('up', process.pid));
