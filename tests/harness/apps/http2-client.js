// Persistent clients of http2.js, each of which asks again when it has its answer. A line on stdin, and
// being refused is no failure any more; its end, and what has become of the requests is told.
const http2 = require('http2');
const grpc = require('@grpc/grpc-js');

const port = Number(process.env.PORT);
const LONG = 1000;
let stopping = false;
let answered = 0;
const lost = [];
const pids = new Set();

// Node.js' own client: a session until the server sends it away.
function client(url) {
  let session;
  return (ms) => {
    if (!session || session.closed || session.destroyed) {
      session = http2.connect(url, { rejectUnauthorized: false });
      session.on('error', () => {});
    }
    return new Promise((resolve, reject) => {
      const request = session.request({ ':path': `/?ms=${ms}` });
      let text = '';
      request.on('data', (data) => (text += data));
      request.on('error', reject);
      request.on('close', () => (text ? resolve(text.split(' ')[0]) : reject(new Error('no answer'))));
    });
  };
}

function caller() {
  const options = { 'grpc.use_local_subchannel_pool': 1 };
  const client = new grpc.Client(`127.0.0.1:${port + 2}`, grpc.credentials.createInsecure(), options);
  const same = (bytes) => bytes;
  return (ms) =>
    new Promise((resolve, reject) => {
      const done = (error, bytes) => (error ? reject(error) : resolve(String(bytes)));
      client.makeUnaryRequest('/test/ask', same, same, Buffer.from(String(ms)), done);
    });
}

async function loop(name, ask, ms) {
  for (;;) {
    try {
      pids.add(await ask(ms));
      answered += 1;
      if (answered === 100) console.log('asking');
    } catch ({ message }) {
      // Not processed, and safe to ask again (RFC 9113, section 8.7): it was on its way out when the
      // server's GOAWAY came in. gRPC asks again by itself, but only once.
      if (/REFUSED_STREAM|refused by server/.test(message)) continue;
      if (!stopping || !/ECONNREFUSED/.test(message)) lost.push(`${name}: ${message}`);
      return;
    }
  }
}

const kinds = {
  h2c: () => client(`http://127.0.0.1:${port}`),
  h2: () => client(`https://127.0.0.1:${port + 1}`),
  grpc: caller,
};
const loops = [];
for (const [name, make] of Object.entries(kinds)) {
  for (const times of [[20], [20, 20], [20, LONG], Array(8).fill(20)]) {
    const ask = make();
    loops.push(...times.map((ms) => loop(name, ask, ms)));
  }
}
process.stdin.once('data', () => (stopping = true));
Promise.all(loops).then(() => {
  console.log('told', JSON.stringify({ answered, pids: pids.size, lost }));
  process.exit();
});
