// One of the workers leads: it holds a local port, and only its client is made; the others ask through it.
const Base = require('sdk-base');
const { listen } = require('./app.js');
class Source extends Base {
  constructor(options) {
    super(options);
    this.ready(true);
  }
  async get() {
    return `led by ${process.pid}`;
  }
}
const client = require('cluster-client')(Source, { port: Number(process.env.PORT) + 1 }).delegate('get').create({});
listen({ '/get': () => client.get() });
