// A Socket.IO app as its documentation has it, on N workers: under pidone or under a primary of its own.
const cluster = require('cluster');
const { createAdapter, setupPrimary } = require('./adapter.js');

if (cluster.isPrimary) {
  setupPrimary();
  for (let i = 0; i < 3; i++) cluster.fork();
} else {
  const { Server } = require('socket.io');
  const server = require('http').createServer();
  const io = new Server(server, { adapter: createAdapter() });

  // What a client can have its worker do.
  const acts = {
    emit: (room, ...news) => void (room ? io.to(room) : io).emit('news', ...news),
    except: (room, ...news) => void io.except(room).emit('news', ...news),
    join: (room, other) => io.in(room).socketsJoin(other),
    leave: (room, other) => io.in(room).socketsLeave(other),
    fetch: async (room) => {
      const sockets = await io.in(room).fetchSockets();
      return sockets.map((socket) => [socket.data.name, [...socket.rooms].filter((name) => name !== socket.id).sort()]);
    },
    servers: (text) => io.serverSideEmitWithAck('ask', text),
    clients: (room) => io.in(room).timeout(4000).emitWithAck('ask'),
    disconnect: (room) => io.in(room).disconnectSockets(true),
    block: (ms) => { for (const end = Date.now() + ms; Date.now() < end; ); },
    flood: (messages, size) => { for (let i = 0; i < messages; i++) io.emit('flood', i, 'x'.repeat(size)); },
    count: () => io.of('/').adapter.serverCount(),
  };
  io.on('ask', (text, ack) => ack(`${text} ${process.pid}`));
  for (const space of [io, io.of('/chat')]) {
    space.on('connection', (socket) => {
      socket.on('pid', (ack) => ack(process.pid));
      socket.on('name', (name, rooms, ack) => {
        socket.data.name = name;
        socket.join(rooms);
        ack();
      });
      socket.on('do', async (act, words, ack) => {
        try {
          ack({ done: await acts[act](...words) });
        } catch (error) {
          ack({ failed: error.message });
        }
      });
      socket.on('chat', (text) => space.emit('news', text));
    });
  }
  server.listen(process.env.PORT, () => console.log('up', process.pid));
}
