// A client that never rests: node client.mjs PORT RATE
//
// Sends RATE requests a second, each on a new connection, and checks every answer. Prints a line a second, the last one
// redrawn five times a second. A line on stdin ends it: it waits for the open requests and prints `sent S answered A failed F`.
import { get } from 'node:http';

const [port, rate] = process.argv.slice(2).map(Number);
const PATIENCE = 5000;
const begin = performance.now();
let sent = 0;
let answered = 0;
let failed = 0;
let second = 1;
let by = new Set();
let stopping = false;

function send() {
  sent += 1;
  let settled = false;
  const settle = (text) => {
    if (settled) return;
    settled = true;
    const pid = /^hello from pid (\d+)\n$/.exec(text)?.[1];
    if (pid) {
      answered += 1;
      by.add(pid);
    } else {
      failed += 1;
    }
    if (stopping) finish();
  };
  const request = get({ port, host: '127.0.0.1', agent: false, timeout: PATIENCE }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part) => { text += part; });
    response.on('close', () => settle(response.complete && response.statusCode === 200 ? text : ''));
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => settle(''));
}

function draw(end) {
  const column = (value, width) => value.toLocaleString('en').padStart(width);
  process.stdout.write(`\r${column(second, 4)} s ${column(answered, 9)} ${column(failed, 7)}   ${by.size} workers\x1b[K${end}`);
}

function finish() {
  if (answered + failed < sent) return;
  process.stdout.write(`\nsent ${sent} answered ${answered} failed ${failed}\n`);
  process.exit();
}

process.stdout.write('  time  answered  failed   answered by\n');
const sending = setInterval(() => {
  const due = Math.floor((performance.now() - begin) / 1000 * rate);
  while (sent < due) send();
}, 5);
const drawing = setInterval(() => {
  const isOver = performance.now() - begin >= second * 1000;
  draw(isOver ? '\n' : '');
  if (isOver) {
    second += 1;
    by = new Set();
  }
}, 200);
process.stdin.once('data', () => {
  clearInterval(sending);
  clearInterval(drawing);
  stopping = true;
  finish();
});
