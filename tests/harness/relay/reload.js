// Clients of app.js over a reload of two workers, and the death of one. Goes on with each line on stdin.
const readline = require('readline');
const { everywhere, acquainted } = require('./clients.js');

(async () => {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const old = (await everywhere(2, ['a'])).flat();
  await acquainted(old, 2);
  console.log('met');

  await lines.next();
  // The old workers drain, because of their clients. They may get new ones until a moment after the new workers serve.
  const now = (await everywhere(2, ['a'], old)).flat();
  await acquainted([...old, ...now], 4);
  const all = [...old, ...now];
  for (const speaker of all) {
    await speaker.do('emit', 'a', 'hello');
    await Promise.all(all.map((client) => client.heard(1)));
    const counts = [(await speaker.do('fetch', 'a')).length, (await speaker.do('clients', 'a')).length];
    console.log('among', counts.join(' '), (await speaker.do('servers', 'x')).length);
  }
  for (const client of old) client.socket.close();

  await lines.next();
  // They have exited: no worker waits for their answers.
  const [first, second] = now;
  console.log('alone', (await first.do('fetch', 'a')).length, await first.do('count'));
  console.log('kill', second.pid);

  await lines.next();
  await acquainted([first], 2);
  console.log('again', (await first.do('fetch', 'a')).length, (await first.do('servers', 'x')).length);
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
