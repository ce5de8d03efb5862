// What `--http-drain` puts into a worker, as a `data:` URL (see `drain_module.rs`). Once pidone has
// announced the end on the channel, or the app has closed the server, each connection of HTTP/1 ends
// with its next answer; HTTP/2 sessions are told to go. Node.js 18.19 and newer.
//
// It patches nothing before the announcement, and acts only in the process that owns pidone's channel:
// worker threads have none, and a process that the app has forked is no worker of a cluster.
//
// ASCII only, comments on lines of their own, no space inside a string: white space is left out.
import cluster from 'node:cluster';
import { subscribe } from 'node:diagnostics_channel';
import { constants } from 'node:os';

// What the app starts in its turn gets what the app was given, and may be an older Node.js.
const option = process.execArgv.indexOf(`--import=${import.meta.url}`);
if (option >= 0) process.execArgv.splice(option, 1);
const { NODE_OPTIONS } = process.env;
if (NODE_OPTIONS) {
  const options = NODE_OPTIONS.replace(`--import\x20${import.meta.url}`, '').trim();
  if (options) process.env.NODE_OPTIONS = options;
  else delete process.env.NODE_OPTIONS;
}

const { send } = process;
if (cluster.isWorker && send) {
  let draining = false;
  // With a callback, a channel that is closed meanwhile is no error of the app.
  const tell = (message) => send.call(process, { cmd: 'NODE_PIDONE', ...message }, () => {});

  // A handler of the app's may end the process at once: pidone asks for that when all is answered.
  const unanswered = new Set();
  const hold = (one) => {
    if (unanswered.has(one)) return;
    unanswered.add(one);
    one.once('close', () => unanswered.delete(one));
  };
  const finish = () => {
    const left = new Set(unanswered);
    const done = (one) => {
      left.delete(one);
      if (!left.size) tell({ act: 'finished' });
    };
    left.forEach((one) => one.once('close', () => done(one)));
    if (!left.size) done();
  };

  // A server that has never listened has no `_connectionKey`: it gets its connections from the app,
  // and `listening` says nothing about it.
  subscribe('http.server.request.start', ({ response, server }) => {
    hold(response);
    if (draining || (server._connectionKey && !server.listening)) response.shouldKeepAlive = false;
  });

  // Where the app, or a proxy for its upstream, sets `Connection: keep-alive` itself, Node.js goes by
  // that and not by `shouldKeepAlive`; and answers that have not begun yet can be the last ones too.
  const makeLast = ({ ServerResponse: { prototype } }) => {
    const store = prototype._storeHeader;
    prototype._storeHeader = function (...args) {
      this.shouldKeepAlive = false;
      store.apply(this, args);
      const header = this._header.replace(/^(connection:.*)keep-alive/gim, '$1close');
      if (header === this._header) return;
      this._header = header;
      this._last = true;
    };
  };

  // The end of an HTTP/2 session in two steps (RFC 9113, section 6.8). A GOAWAY frame with the highest
  // number there is sends the client elsewhere, while what is on its way from it is still answered.
  // That is sent when a request has just come: with an answer, a client has the next one ready, and
  // would drop it. What `close()` does at once would lose that too: it follows a second later, if the
  // client has not gone by itself.
  const soften = (session) => {
    const { close } = session;
    let state = 0;
    const sendAway = () => {
      if (state > 1 || session.closed || session.destroyed) return;
      state = 2;
      session.goaway(0, 2 ** 31 - 1);
    };
    const prepare = () => {
      if (state > 0) return;
      state = 1;
      session.prependOnceListener('stream', sendAway);
      // Nothing may come.
      setTimeout(sendAway, 200).unref();
    };
    session.close = (...args) => {
      prepare();
      setTimeout(() => close.apply(session, args), 1000).unref();
    };
    return prepare;
  };
  const sessions = new Set();
  const keep = (session) => {
    if (sessions.has(session)) return;
    sessions.add(session);
    session.on('stream', hold);
    session.once('close', () => sessions.delete(session));
    // A new client may have brought several requests.
    if (draining) setTimeout(soften(session), 200).unref();
  };
  // Node.js 18 says nothing of servers, but of what they accept, after the first session has begun.
  const isOld = parseInt(process.versions.node) < 22;
  const servers = new WeakSet();
  const watch = ({ server }) => {
    // Servers of HTTP/2 alone have it.
    if (!server.updateSettings || servers.has(server)) return;
    servers.add(server);
    server.on('session', keep);
    if (!isOld) return;
    server.on('stream', (stream) => {
      keep(stream.session);
      hold(stream);
    });
  };
  subscribe('tracing:net.server.listen:asyncStart', watch);
  if (isOld) subscribe('net.server.socket', ({ socket }) => watch(socket));

  // What Node.js makes of a message with a `cmd` of its own kind. Unlike a listener for `message`,
  // one for it neither keeps the process alive nor takes anything from the app.
  process.on('internalMessage', ({ cmd, act }) => {
    if (cmd === 'NODE_PIDONE_FINISH') {
      finish();
    } else if (cmd === 'NODE_PIDONE_DRAIN') {
      if (!draining) {
        import('node:http').then(makeLast);
        sessions.forEach((session) => soften(session)());
      }
      draining = true;
      const signals = Object.keys(constants.signals).filter((name) => process.listenerCount(name));
      tell({ act: 'announced', signals });
    } else if (act === 'disconnect') {
      // Node.js 24 and newer do so themselves when a server closes.
      sessions.forEach((session) => session.close());
    }
  });

  tell({ act: 'loaded' });
}
