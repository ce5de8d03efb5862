// A library that closes servers: `node graceful.js NAME`.
const http = require('node:http');
const server = http.createServer(require('./answer.js'));
const libraries = {
  'close-with-grace': () => require('close-with-grace')(() => {
    console.log('closing');
    return new Promise((done) => server.close(done));
  }),
  stoppable: () => {
    const { stop } = require('stoppable')(server, 5000);
    process.on('SIGTERM', () => {
      console.log('closing');
      stop(() => process.exit(0));
    });
  },
};
libraries[process.argv[2]]();
server.listen(process.env.PORT, () => console.log('up', process.pid));
