// Clients of app.js, which have their workers do things.
const { io } = require('socket.io-client');

const url = `http://127.0.0.1:${process.env.PORT}`;
const options = { transports: ['websocket'], forceNew: true, reconnection: false };

class Client {
  constructor(more = {}) {
    this.news = [];
    this.wake = () => {};
    this.socket = io(more.url ?? url, { ...options, ...more });
    this.socket.on('news', (...news) => this.hear(news));
    this.socket.on('flood', (number) => this.hear(number));
    this.socket.on('ask', (ack) => ack(`${this.name} ${this.pid}`));
  }

  hear(news) {
    this.news.push(news);
    this.wake();
  }

  /** Until it has heard this many; returns all it has heard. */
  async heard(count) {
    while (this.news.length < count) await new Promise((wake) => { this.wake = wake; });
    return this.news.splice(0);
  }

  async connected() {
    if (!this.socket.connected) {
      await new Promise((done, fail) => this.socket.once('connect', done).once('connect_error', fail));
    }
    this.pid = await this.socket.emitWithAck('pid');
    return this;
  }

  async named(name, rooms) {
    this.name = name;
    await this.socket.emitWithAck('name', name, rooms);
    return this;
  }

  async do(act, ...words) {
    const { done, failed } = await this.socket.emitWithAck('do', act, words);
    if (failed) throw new Error(`${act}: ${failed}`);
    return done;
  }
}

/**
 * Clients with these names on each of this many workers, a list for each; a name's letters are the rooms that it joins.
 * The workers of these others are not meant.
 */
async function everywhere(workers, names, others = []) {
  const found = new Map();
  for (let missing = workers * names.length; missing > 0;) {
    const client = await new Client().connected();
    const place = found.get(client.pid) ?? [];
    if (place.length === names.length || others.some(({ pid }) => pid === client.pid)) {
      client.socket.close();
      continue;
    }
    found.set(client.pid, place);
    const name = names[place.length];
    place.push(await client.named(name, [...name]));
    missing--;
  }
  return [...found.values()];
}

/** Until the adapter of each of these clients' workers knows that there are so many. */
async function acquainted(clients, workers) {
  for (const client of clients) while ((await client.do('count')) !== workers);
}

module.exports = { Client, everywhere, acquainted };
