#!/usr/bin/env node
'use strict';

const { main } = require('../lib/main.js');

main(process.argv.slice(2)).then(
  (text) => process.stdout.write(text),
  (error) => {
    // A sentence for the user, or an error of this program's own.
    console.error(`pidone-from-pm2: error: ${error.forUser ? error.message : error.stack}`);
    process.exitCode = error.forUser ? 1 : 70;
  },
);
