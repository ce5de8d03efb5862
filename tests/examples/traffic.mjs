// The example's own client, many times: node traffic.mjs URL CLIENTS
// Says `going` after the first answers of each client, and on each line of stdin after so many more. At the end of
// stdin it asks no more, waits for the answers that are due, and says how many of each there were.
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.js';

const [url, count] = process.argv.slice(2);
const clients = Array.from({ length: Number(count) }, () => new Client(url));
let [asked, answered, stopped] = [0, 0, false];

/** Two at a time of each client are under way. */
async function talk(client) {
  while (!stopped) {
    const text = `message ${asked++}`;
    const answer = await client.ask(text);
    if (answer.text !== text) throw new Error(`${answer.text}, not ${text}`);
    answered++;
    client.answers = (client.answers ?? 0) + 1;
    client.check?.();
    await sleep(10);
  }
}

/** Until each client has had ten more answers. */
async function going() {
  await Promise.all(clients.map((client) => new Promise((resolve) => {
    const enough = (client.answers ?? 0) + 10;
    client.check = () => client.answers >= enough && resolve();
  })));
  console.log('going');
}

const talks = clients.flatMap((client) => [talk(client), talk(client)]);
going();
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', going);
lines.on('close', async () => {
  stopped = true;
  await Promise.all(talks);
  const least = Math.min(...clients.map((client) => client.closes.filter((code) => code === 1012).length));
  console.log(`asked ${asked} answered ${answered} told ${least}`);
  process.exit(0);
});
