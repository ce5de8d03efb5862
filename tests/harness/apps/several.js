// Everything that can listen, in one app: http on two ports, a TCP echo, a UDP echo, a UNIX socket.
const { once } = require('events');
const http = require('http');
const answer = require('./answer.js');
const port = Number(process.env.PORT);

async function main() {
  await once(http.createServer(answer).listen(port), 'listening');
  await once(http.createServer(answer).listen({ port: port + 1, host: '127.0.0.1' }), 'listening');
  const echo = require('net').createServer((socket) => socket.end(`${process.pid} net`));
  await once(echo.listen(port + 2, '0.0.0.0'), 'listening');
  const udp = require('dgram').createSocket('udp4');
  udp.on('message', (text, from) => udp.send(`${process.pid} ${text}`, from.port, from.address));
  udp.bind(port + 3);
  await once(udp, 'listening');
  await once(http.createServer(answer).listen(`${__dirname}/app.sock`), 'listening');
  console.log('up', process.pid);
}
main();
