// A Socket.IO app on several workers: HTTP long polling first, then a websocket, as its clients do by default.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server);

io.on('connection', (socket) => {
  socket.on('echo', (text, answer) => {
    answer({ pid: process.pid, address: socket.handshake.address, transport: socket.conn.transport.name, text });
  });
});

server.listen(Number(process.env.PORT ?? 3000));

// Closes the server and every client's connection; clients come back by themselves, to another worker or a new one.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await io.close();
    process.exit(0);
  });
}
