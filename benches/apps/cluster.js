// Node.js' own cluster, as its documentation and guides have it: N workers, a new one for each that dies, and on SIGHUP a
// rolling restart, one worker after the other, the successor first. A worker with connections that clients keep open gets 2 s.
const cluster = require('cluster');

if (!cluster.isPrimary) require('./app.js');
else {
  for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
  cluster.on('exit', (worker) => worker.exitedAfterDisconnect || cluster.fork());
  process.on('SIGHUP', () => {
    const roll = ([old, ...rest]) =>
      old &&
      cluster.fork().once('listening', () => {
        const timeout = setTimeout(() => old.kill(), 2000);
        old.once('exit', () => {
          clearTimeout(timeout);
          roll(rest);
        });
        old.disconnect();
      });
    roll(Object.values(cluster.workers));
  });
}
