// A Socket.IO app on several workers. Its clients begin with HTTP long polling and change to a websocket, the default.
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

// Closes the server and the clients' connections. The clients connect again by themselves, to another worker.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await io.close();
    process.exit(0);
  });
}
