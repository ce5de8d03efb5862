// Websockets that outlive a reload: clients are told to go, and come back to a new worker.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ server });
let ending = false;

// 1012 is "service restart" in IANA's list of close codes: who sees it may connect again at once.
const dismiss = (socket) => socket.close(1012, 'service restart');

sockets.on('connection', (socket) => {
  socket.on('error', console.error);
  socket.on('message', (data) => {
    // After our goodbye nothing is handled, as no answer could be sent: the client asks again elsewhere.
    if (socket.readyState !== socket.OPEN) return;
    const { id, text } = JSON.parse(data);
    console.log(`handled ${id}`);
    socket.send(JSON.stringify({ id, text, pid: process.pid }));
  });
  // One that was on its way in when the end began.
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
