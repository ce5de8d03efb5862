// The database that all services share: SQLite, which Node.js has built in.
const { DatabaseSync } = require('node:sqlite');

const database = new DatabaseSync(process.env.DATABASE ?? '/data/shop.db');
// Several processes write; each waits for its turn.
database.exec('PRAGMA busy_timeout = 5000');

module.exports = database;
