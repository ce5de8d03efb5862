// Brings the database to the newest version. Does nothing if it is there already, so it may run with each deployment.
const database = require('./database.js');

const migrations = [
  `CREATE TABLE jobs (
     id INTEGER PRIMARY KEY,
     state TEXT NOT NULL DEFAULT 'waiting',
     ms INTEGER NOT NULL,
     worker TEXT
   )`,
];

// Readers do not wait for a writer.
database.exec('PRAGMA journal_mode = WAL');
const { user_version: version } = database.prepare('PRAGMA user_version').get();
for (const [index, migration] of migrations.entries()) {
  if (index < version) continue;
  // All of a migration, or none of it.
  database.exec(`BEGIN IMMEDIATE; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT`);
  console.log(`migrated to version ${index + 1}`);
}
