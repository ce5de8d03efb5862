module.exports = { name: 'http', started() { this.server = require('./app.js').listen({ '/get': () => this.broker.nodeID }); }, stopped() { this.server.close(); } };
