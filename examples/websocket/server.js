// WebSockets across a reload: the old worker closes them, and clients connect to a new worker.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ server });
let ending = false;

// 1012 is "service restart" in IANA's list of close codes: the client may connect again at once.
const dismiss = (socket) => socket.close(1012, 'service restart');

sockets.on('connection', (socket) => {
  socket.on('error', console.error);
  socket.on('message', (data) => {
    // After the close no answer can be sent. The client sends the message again to another worker.
    if (socket.readyState !== socket.OPEN) return;
    const { id, text } = JSON.parse(data);
    console.log(`handled ${id}`);
    socket.send(JSON.stringify({ id, text, pid: process.pid }));
  });
  // This connection was opened while the stop began.
  if (ending) dismiss(socket);
});

server.listen(Number(process.env.PORT ?? 3000));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    ending = true;
    // Called back when the last connection has ended.
    server.close(() => process.exit(0));
    sockets.clients.forEach(dismiss);
  });
}
