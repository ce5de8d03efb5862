const http = require('node:http');
const sticky = require('sticky-session');
const server = http.createServer(require('./answer.js'));
if (sticky.listen(server, Number(process.env.PORT), { workers: 2 })) console.log('up', process.pid);
