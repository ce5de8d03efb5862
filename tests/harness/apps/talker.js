// Sends its parent whatever process.send() takes, and listens afterwards. Logs as cluster workers do.
const cluster = require('cluster');
const values = [
  'ready to rumble', '', 'x'.repeat(1 << 20), 0, -1.5, 1e300, true, false, null, [], [[[]]], {},
  { cmd: 'NODE_' }, { cmd: 'NODE_UNKNOWN', act: 'queryServer' }, { cmd: 'NODE_CLUSTER' },
  { cmd: 'NODE_CLUSTER', act: 'nonsense', seq: 'x' }, { cmd: 'NODE_CLUSTER', act: 'listening' },
  { cmd: 'NODE_HANDLE_ACK' }, { cmd: 'NODE_HANDLE_NACK' }, { type: 'process:msg', data: { success: true } },
  { text: 'line\nfeed \u2028 \u0000 \ud800', date: new Date(), bytes: Buffer.from('bytes') }, [undefined, NaN],
];
for (const value of values) process.send(value);
console.log(cluster.isWorker ? `worker ${cluster.worker.id}` : 'no worker', process.env.NODE_APP_INSTANCE);
require('./plain.js');
