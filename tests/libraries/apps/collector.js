// Stands for the server of an agent: prints each mark that a worker's agent reports.
const http = require('node:http');
const zlib = require('node:zlib');
const server = http.createServer((request, response) => {
  const parts = [];
  const gzip = request.headers['content-encoding'] === 'gzip';
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const whole = Buffer.concat(parts);
    let body = whole;
    try {
      if (gzip) body = zlib.gunzipSync(whole);
    } catch (error) {
      console.log('broken', error.message);
    }
    for (const mark of new Set(body.toString('latin1').match(/mark-\d+/g))) console.log(mark);
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  });
});
server.listen(process.env.PORT, '127.0.0.1', () => console.log('up', process.pid));
