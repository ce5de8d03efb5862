// The form that a library with a primary's side documents: the same file is the primary and its workers.
const cluster = require('node:cluster');
module.exports = (primary, worker) => {
  if (!cluster.isPrimary) return worker();
  primary();
  cluster.fork();
  cluster.fork();
};
