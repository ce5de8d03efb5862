// Accepts jobs, and tells how far they are. It has no signal handlers: pidone drains it.
const http = require('node:http');
const database = require('./database.js');

const add = database.prepare('INSERT INTO jobs (ms) VALUES (?)');
const find = database.prepare('SELECT id, state, worker FROM jobs WHERE id = ?');

// POST /jobs?ms=500 adds a job that takes 500 ms. GET /jobs/1 shows it.
const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const reply = (status, body) => {
    response.statusCode = status;
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ ...body, pid: process.pid })}\n`);
  };
  if (request.method === 'POST' && pathname === '/jobs') {
    const ms = Math.min(Math.abs(Number(searchParams.get('ms'))) || 500, 30_000);
    return reply(202, { id: add.run(Math.round(ms)).lastInsertRowid });
  }
  const id = pathname.match(/^\/jobs\/(\d+)$/)?.[1];
  const job = id && find.get(Number(id));
  if (job) return reply(200, job);
  return pathname === '/' ? reply(200, { hello: 'world' }) : reply(404, { error: 'not found' });
});

server.listen(Number(process.env.PORT ?? 3000));
