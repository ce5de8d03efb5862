// What is served: the tests' own answer at once, and at /busy after a piece of work.
const { pbkdf2Sync } = require('crypto');
const answer = require('../../tests/harness/apps/answer.js');

const turns = Number(process.env.BUSY_TURNS ?? 1);
require('http')
  .createServer((request, response) => {
    if (request.url === '/busy') pbkdf2Sync('password', 'salt', turns, 32, 'sha256');
    answer(request, response);
  })
  .listen(process.env.PORT);
