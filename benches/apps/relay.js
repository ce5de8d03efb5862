// Workers that send each other messages in the form of @socket.io/cluster-adapter. As a primary: WORKERS workers, and what that
// adapter's setupPrimary() does for broadcasts.
const cluster = require('cluster');
const answer = require('../../tests/harness/apps/answer.js');

if (cluster.isPrimary) {
  cluster.on('message', (from, message) => {
    for (const worker of Object.values(cluster.workers)) if (worker !== from) worker.send(message, null, () => {});
  });
  for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
} else {
  let left = { got: 0, sent: 0 };
  let finished = () => {};
  const send = (data) => process.send({ type: 3, uid: `${process.pid}`, nsp: '/', data, source: '_sio_adapter' });
  const check = () => {
    if (left.got === 0 && left.sent === 0) finished();
  };

  // `count` messages in slices of `slice`: one in each turn of the event loop, or after `pause` ms.
  const begin = ({ workers, count, size, slice, pause }, then) => {
    left = { got: (workers - 1) * count, sent: count };
    finished = then;
    const packet = 'x'.repeat(size);
    const next = () => {
      for (let i = 0; i < slice && left.sent > 0; i++, left.sent--) send({ packet });
      if (left.sent === 0) check();
      else if (pause) setTimeout(next, pause);
      else setImmediate(next);
    };
    next();
  };

  let others = 0;
  process.on('message', ({ data }) => {
    if (data.begin) {
      begin(data.begin, () => send({ done: true }));
    } else if (data.done) {
      // Only who was asked counts them.
      if (--others === 0) check();
    } else {
      left.got--;
      check();
    }
  });

  require('http')
    .createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, 'http://localhost');
      if (pathname !== '/relay') return answer(request, response);
      const load = Object.fromEntries([...searchParams].map(([name, value]) => [name, Number(value)]));
      others = load.workers - 1;
      send({ begin: load });
      begin(load, () => {
        if (others === 0) response.end('done');
      });
    })
    .listen(process.env.PORT);
}
