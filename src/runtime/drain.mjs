// What `--http-drain` puts into a worker, as a `data:` URL (see `drain_module.rs`): ends kept-alive
// connections with their next answer, once pidone has announced the end on the channel or the app
// has closed the server. Node.js 18.19 and newer.
//
// It patches nothing, and acts only in the process that owns pidone's channel: worker threads have
// none, and a process that the app has forked is no worker of a cluster.
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
  const finish = () => {
    const left = new Set(unanswered);
    const done = (one) => {
      left.delete(one);
      if (!left.size) tell({ act: 'finished' });
    };
    left.forEach((one) => one.once('close', () => done(one)));
    if (!left.size) done();
  };

  // What Node.js makes of a message with a `cmd` of its own kind. Unlike a listener for `message`,
  // one for it neither keeps the process alive nor takes anything from the app.
  process.on('internalMessage', (message) => {
    if (message.cmd === 'NODE_PIDONE_FINISH') finish();
    if (message.cmd !== 'NODE_PIDONE_DRAIN') return;
    draining = true;
    const signals = Object.keys(constants.signals).filter((name) => process.listenerCount(name));
    tell({ act: 'announced', signals });
  });

  // A server that has never listened has no `_connectionKey`: it gets its connections from the app,
  // and `listening` says nothing about it.
  subscribe('http.server.request.start', ({ response, server }) => {
    unanswered.add(response);
    response.once('close', () => unanswered.delete(response));
    if (draining || (server._connectionKey && !server.listening)) response.shouldKeepAlive = false;
  });

  tell({ act: 'loaded' });
}
