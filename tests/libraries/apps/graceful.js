// One of the libraries that close servers: `node graceful.js NAME`.
const { app, listen } = require('./app.js');
const http = require('node:http');
const server = http.createServer(app({}));
const close = (done) => server.close(done);
const library = {
  'close-with-grace': () => require('close-with-grace')(() => new Promise(close)),
  stoppable: () => {
    const stoppable = require('stoppable')(server, 5000);
    process.on('SIGTERM', () => stoppable.stop(() => process.exit(0)));
  },
};
library[process.argv[2]]();
server.listen(process.env.PORT, () => console.log('up', process.pid));
