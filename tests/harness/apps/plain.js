// An app as everyone writes it first: no signal handlers, no cluster.
const server = require('http').createServer(require('./answer.js'));
server.listen(process.env.PORT, () => console.log('up', process.pid));
