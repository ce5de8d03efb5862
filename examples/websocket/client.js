// A client that loses no message: if one was not answered on a connection, it is sent again on the next.
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';

export class Client {
  #url;
  #options;
  #socket;
  #unanswered = new Map();
  #ended = false;
  /** The codes with which connections were closed. */
  closes = [];

  constructor(url, options) {
    this.#url = url;
    this.#options = options;
    this.#connect();
  }

  /** Resolves with the answer. */
  ask(text) {
    return new Promise((answered) => {
      const message = { id: randomUUID(), text };
      this.#unanswered.set(message.id, { message, answered });
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
    });
  }

  end() {
    this.#ended = true;
    this.#socket.close(1000);
  }

  #connect() {
    const socket = new WebSocket(this.#url, this.#options);
    this.#socket = socket;
    socket.on('open', () => {
      for (const { message } of this.#unanswered.values()) socket.send(JSON.stringify(message));
    });
    socket.on('message', (data) => {
      const answer = JSON.parse(data);
      this.#unanswered.get(answer.id)?.answered(answer);
      this.#unanswered.delete(answer.id);
    });
    socket.on('error', (error) => console.error(error.message));
    socket.on('close', (code) => {
      this.closes.push(code);
      if (this.#ended) return;
      // At once if the server restarts (1012), after a pause if it has failed.
      setTimeout(() => this.#connect(), code === 1012 ? 0 : 1000);
    });
  }
}
