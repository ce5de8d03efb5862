// Real clients of Socket.IO, one for each address: node socketio.js PORT ADDRESS...
// Each asks until it has been answered over the last transport it may have, and 20 times more. A line on
// stdin: each has been cut off since, has come back, and asks again.
const { once } = require('node:events');
const http = require('node:http');
const readline = require('node:readline');
const { io } = require('socket.io-client');

const [port, ...addresses] = process.argv.slice(2);

async function ask(client, turn) {
  const said = await client.socket.timeout(20_000).emitWithAck('echo', `turn ${turn}`);
  if (said.text !== `turn ${turn}`) throw new Error(JSON.stringify(said));
  if (!said.address.endsWith(client.address)) throw new Error(`${said.address}, not ${client.address}`);
  return said;
}

/** Until it is at the best transport, and then some. All answers must come from one process. */
async function talk(client, word) {
  const pids = new Set();
  let last;
  for (let turn = 0, more = 20; more > 0; turn++) {
    last = await ask(client, turn);
    pids.add(last.pid);
    if (last.transport === client.best) more--;
  }
  if (pids.size !== 1) throw new Error(`${client.address}: ${[...pids]}`);
  console.log(word, last.pid, client.address, last.transport);
}

function connect(address, index) {
  // Every other one polls for ever, on connections that it keeps.
  const polls = index % 2 === 1;
  const agent = new http.Agent({ keepAlive: polls, localAddress: address });
  const transports = polls ? ['polling'] : ['polling', 'websocket'];
  const socket = io(`http://127.0.0.1:${port}`, { agent, transports, forceNew: true, reconnectionDelay: 100 });
  const client = { address, socket, best: transports.at(-1), connected: 0, changed: () => {} };
  socket.on('connect', () => {
    client.connected++;
    client.changed();
  });
  socket.on('connect_error', (error) => console.error(address, error.message));
  return client;
}

async function connected(client, times) {
  while (client.connected < times) await new Promise((resolve) => { client.changed = resolve; });
}

(async () => {
  const lines = readline.createInterface({ input: process.stdin });
  const clients = addresses.map(connect);
  await Promise.all(clients.map((client) => connected(client, 1)));
  await Promise.all(clients.map((client) => talk(client, 'met')));
  console.log('all');
  await once(lines, 'line');
  await Promise.all(clients.map((client) => connected(client, 2)));
  await Promise.all(clients.map((client) => talk(client, 'again')));
  console.log('all');
  await once(lines, 'close');
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
