// Only syntax that Node.js can erase (no enum, no parameter properties), so that it runs without a loader, too.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

interface Greeting {
  hello: string;
  pid: number;
}

const greet = (hello: string): Greeting => ({ hello, pid: process.pid });

const server = createServer((request: IncomingMessage, response: ServerResponse): void => {
  const body = JSON.stringify(greet('world'));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});

server.listen(Number(process.env.PORT ?? 3000));
