// An ES module, with a top-level await before it listens.
import http from 'http';
import { setTimeout as sleep } from 'timers/promises';
import answer from './answer.js';

await sleep(10);
http.createServer(answer).listen(process.env.PORT, () => console.log('up', process.pid));
