const http = require('node:http');
const { Server } = require('socket.io');
const { setupMaster, setupWorker } = require('@socket.io/sticky');
require('./clustered.js')(
  () => {
    const server = http.createServer();
    setupMaster(server);
    server.listen(process.env.PORT);
  },
  () => {
    const server = http.createServer(require('./answer.js'));
    setupWorker(new Server(server));
    console.log('up', process.pid);
  },
);
