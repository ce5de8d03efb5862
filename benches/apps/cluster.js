// Node.js' own cluster, as its documentation has it: N workers, and a new one for each that dies.
const cluster = require('cluster');

if (cluster.isPrimary) {
  for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  require('./app.js');
}
