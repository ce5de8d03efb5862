// TypeScript, run through `--import tsx`.
import http from 'node:http';
import answer from './answer.js';

enum Word { Up = 'up' }
const port: number = Number(process.env.PORT);
http.createServer(answer).listen(port, () => console.log(Word.Up, process.pid));
