// A Socket.IO app on several workers: HTTP long polling first, then a websocket, as its clients do by default.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server);
let ending = false;

io.on('connection', (socket) => {
  // One that was on its way in when the end began: its client comes back, to another worker.
  if (ending) return socket.conn.close();
  socket.on('echo', (text, answer) => {
    answer({ pid: process.pid, address: socket.handshake.address, transport: socket.conn.transport.name, text });
  });
});

server.listen(Number(process.env.PORT ?? 3000));

// Pollers must not come back on the connection that they have kept.
io.engine.on('headers', (headers) => {
  if (ending) headers.connection = 'close';
});

// Closes the server and every client's connection; clients come back by themselves, to another worker or a new one.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    ending = true;
    await io.close();
    process.exit(0);
  });
}
