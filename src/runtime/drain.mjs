// The module that `--http-drain` loads into a worker, as a `data:` URL (see `drain_module.rs`). After
// pidone has announced the drain on the channel, or the app has closed the server, each HTTP/1
// connection closes with its next answer, and HTTP/2 sessions get a GOAWAY. Node.js 18.19 and newer.
//
// It patches nothing before the announcement, and acts only in the process that owns pidone's channel:
// worker threads have no channel, and a process that the app has forked is not a cluster worker.
//
// ASCII only, comments on lines of their own, no space inside a string: white space is removed.
import cluster from 'node:cluster';
import { subscribe } from 'node:diagnostics_channel';
import { constants } from 'node:os';

// Processes that the app starts must get the app's own options, and may be an older Node.js.
const { env, execArgv } = process;
delete env.NODE_PIDONE_MODULE;
const option = execArgv.findIndex((one) => one.includes('env.NODE_PIDONE_MODULE'));
if (option >= 0) execArgv.splice(option, 1);
if (env.NODE_OPTIONS) {
  const options = env.NODE_OPTIONS.replace(/--import\x20\S*env\.NODE_PIDONE_MODULE\S*/, '').trim();
  if (options) env.NODE_OPTIONS = options;
  else delete env.NODE_OPTIONS;
}

const { send } = process;
if (cluster.isWorker && send) {
  let draining = false;
  // With a callback, a channel that closes meanwhile raises no error in the app.
  const tell = (message) => send.call(process, { cmd: 'NODE_PIDONE', ...message }, () => {});

  // A signal handler of the app may exit at once, so pidone first asks for a report when all is
  // answered.
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

  // A server that never listened has no `_connectionKey`: the app passes connections to it, and its
  // `listening` is always false.
  subscribe('http.server.request.start', ({ response, server }) => {
    hold(response);
    if (draining || (server._connectionKey && !server.listening)) response.shouldKeepAlive = false;
  });

  // If the app, or a proxy for its upstream, sets `Connection: keep-alive` itself, Node.js obeys that
  // header and not `shouldKeepAlive`. Answers that have not begun yet can also be the last ones.
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

  // Closes an HTTP/2 session (RFC 9113, section 6.8). A GOAWAY frame with the highest stream number sends
  // the client elsewhere, and refuses no request that came in the same read. nghttp2 ignores requests that
  // come after it. When it has been sent, a second GOAWAY names the last request that was accepted, so that
  // the client can send the later ones elsewhere at once. The first is sent right after a request has
  // come: after an answer the client has its next request ready. `close()` follows one second later, if
  // the client has not closed the session by then, and when no request is in flight: earlier it could
  // reset the connection of a client that still reads, and Node.js 18 drops the end of an answer that
  // is written at the same moment.
  const soften = (session) => {
    const { close } = session;
    let state = 0;
    const sendAway = () => {
      if (state > 1 || session.closed || session.destroyed) return;
      state = 2;
      session.goaway(0, 2 ** 31 - 1);
      setTimeout(() => session.destroyed || session.goaway(), 50).unref();
    };
    const prepare = () => {
      if (state > 0) return;
      state = 1;
      session.prependOnceListener('stream', sendAway);
      // No request may come.
      setTimeout(sendAway, 200).unref();
    };
    session.close = (...args) => {
      prepare();
      const end = () => {
        const stream = [...unanswered].find((one) => one.session === session);
        if (stream) stream.once('close', later);
        else close.apply(session, args);
      };
      const later = () => setTimeout(end, 1000).unref();
      later();
    };
    return prepare;
  };
  const sessions = new Set();
  const keep = (session) => {
    if (sessions.has(session)) return;
    sessions.add(session);
    session.on('stream', hold);
    session.once('close', () => sessions.delete(session));
    // A new client may have sent several requests.
    if (draining) setTimeout(soften(session), 200).unref();
  };
  // Node.js 18 has no diagnostics channel for servers, only for accepted sockets, after the first
  // session.
  const isOld = parseInt(process.versions.node) < 22;
  const servers = new WeakSet();
  const watch = ({ server }) => {
    // Only HTTP/2 servers have it.
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

  // Node.js emits `internalMessage` for a `cmd` with its own prefix. Unlike a listener for `message`, a
  // listener for it does not keep the process alive and takes no message from the app.
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
      // Node.js 24 and newer do this themselves when a server closes.
      sessions.forEach((session) => session.close());
    }
  });

  tell({ act: 'loaded' });
}
