// All that the adapter does between three workers, as lines that do not depend on their process ids.
const { Client, everywhere, acquainted } = require('./clients.js');

const WORKERS = 3;

(async () => {
  // On each worker: one client in room a, and one in a and b.
  const workers = await everywhere(WORKERS, ['a', 'ab']);
  const all = workers.flat();
  const [first, second] = workers[0];
  await acquainted(workers.map(([client]) => client), WORKERS);
  const number = (pid) => workers.findIndex(([client]) => client.pid === Number(pid));
  const numbered = (said) => said.map((text) => text.replace(/\d+$/, number)).sort();
  const say = (what, told) => console.log(what, JSON.stringify(told));
  /** What each client hears of something, and nothing else: what comes last is for all. */
  const hears = async (what, ...act) => {
    await first.do(...act);
    await first.do('emit', '', 'last');
    const heard = await Promise.all(all.map(async (client) => {
      const news = [];
      while (news.at(-1)?.[0] !== 'last') news.push(...await client.heard(1));
      return news.slice(0, -1);
    }));
    say(what, heard);
  };

  await hears('broadcast', 'emit', '', 'text', { deep: [1, null, 'ü\n'] }, 1.5);
  await hears('long', 'emit', '', 'x'.repeat(300_000));
  await hears('room', 'emit', 'b', 'to b');
  await hears('except', 'except', 'b', 'not to b');
  await hears('join', 'join', 'b', 'c');
  await hears('room c', 'emit', 'c', 'to c');
  await hears('leave', 'leave', 'b', 'c');
  await hears('room c, left', 'emit', 'c', 'to nobody');

  say('fetchSockets', (await first.do('fetch', 'b')).sort());
  say('all sockets', (await second.do('fetch', 'a')).length);
  for (const [client] of workers) {
    const others = numbered(await client.do('servers', 'you are'));
    say('serverSideEmit', others.length === WORKERS - 1 && !others.includes(`you are ${number(client.pid)}`));
  }
  say('broadcast with acks', numbered(await first.do('clients', 'a')));

  // At the same time, from everywhere.
  const many = await Promise.all(Array.from({ length: 60 }, (_, at) => {
    const [client] = workers[at % WORKERS];
    return at % 2 ? client.do('fetch', 'a') : client.do('clients', 'b');
  }));
  say('many at once', many.map((list) => list.length));

  // Another namespace has names of its own.
  const chat = await Promise.all(workers.map(() => new Client({ url: `http://127.0.0.1:${process.env.PORT}/chat` }).connected()));
  chat[0].socket.emit('chat', 'hello');
  say('namespace', await Promise.all(chat.map((client) => client.heard(1))));

  // One worker is busy: only the worker that asks it waits.
  const [[free], [other], [busy]] = workers;
  const blocked = busy.do('block', 2500);
  await free.do('emit', 'a', 'now');
  const isFirst = await Promise.race([other.heard(1).then(() => true), blocked.then(() => false)]);
  say('beside a busy worker', isFirst);
  say('with a busy worker', [(await free.do('fetch', 'a')).length, (await other.do('servers', 'x')).length]);
  await blocked;
  say('after it', await busy.heard(1));

  const cut = all.filter((client) => client.name === 'ab');
  const gone = cut.map((client) => new Promise((done) => client.socket.once('disconnect', done)));
  await first.do('disconnect', 'b');
  await Promise.all(gone);
  while ((await first.do('fetch', 'a')).length !== WORKERS);
  say('disconnectSockets', all.map((client) => client.socket.connected));
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
