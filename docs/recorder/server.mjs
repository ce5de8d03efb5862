// An app that takes half a second to start, as one that connects to a database does.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

await sleep(500);
createServer((request, response) => response.end(`hello from pid ${process.pid}\n`)).listen(process.env.PORT);
