// What is served: the tests' own answer at once, at /busy after a piece of work, and at /block?for=MS after so long at work.
const { pbkdf2Sync } = require('crypto');
const answer = require('../../tests/harness/apps/answer.js');

// An app that boots for BOOT_CPU milliseconds of CPU time.
const begin = process.cpuUsage();
const spent = ({ user, system }) => (user + system) / 1000;
while (spent(process.cpuUsage(begin)) < Number(process.env.BOOT_CPU ?? 0));

const turns = Number(process.env.BUSY_TURNS ?? 1);
require('http')
  .createServer((request, response) => {
    if (request.url === '/busy') pbkdf2Sync('password', 'salt', turns, 32, 'sha256');
    const [, block] = /^\/block\?for=(\d+)$/.exec(request.url) ?? [];
    for (const end = Date.now() + Number(block ?? 0); Date.now() < end; );
    answer(request, response);
  })
  .listen(process.env.PORT, () => {
    // For a client that must not slow down what it waits for.
    if (process.env.LISTENS) require('fs').appendFileSync(process.env.LISTENS, `${process.pid}\n`);
  });
