// Node.js' own cluster with a rolling restart on SIGHUP, as guides have it: one worker after the other, successor first.
const cluster = require('cluster');

if (!cluster.isPrimary) require('./app.js');
else {
  for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
  cluster.on('exit', (worker) => worker.exitedAfterDisconnect || cluster.fork());
  process.on('SIGHUP', () => {
    const roll = ([old, ...rest]) =>
      old &&
      cluster.fork().once('listening', () => {
        old.once('exit', () => roll(rest));
        old.disconnect();
      });
    roll(Object.values(cluster.workers));
  });
}
