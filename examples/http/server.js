// The smallest app: Node.js' own http server, without signal handlers.
const http = require('node:http');

const port = Number(process.env.PORT ?? 3000);

const server = http.createServer((request, response) => {
  response.end(`hello from pid ${process.pid}\n`);
});

server.listen(port, () => {
  console.log(`pid ${process.pid} listening on port ${server.address().port}`);
});
