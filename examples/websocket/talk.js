// node talk.js ws://127.0.0.1:3000: asks ten times a second, and prints which process answers.
import { Client } from './client.js';

const client = new Client(process.argv[2] ?? 'ws://127.0.0.1:3000');
let number = 0;
setInterval(async () => {
  const answer = await client.ask(`message ${number++}`);
  console.log(answer.pid, answer.text);
}, 100);
