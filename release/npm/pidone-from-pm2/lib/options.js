'use strict';

// The options of an app in a pm2 file, from pm2's own schema (its lib/API/schema.json).

const { pm2Words } = require('./words.js');

const LOGS = 'the app\'s stdout and stderr are the container\'s own: read them with docker logs, and let the engine\'s log driver rotate them';
const TRACING = 'pidone loads nothing into the app: load your monitoring agent with node --import';
const WATCH = 'for development, run node --watch without pidone; in a container, deploy a new image instead';

// What becomes of an option:
//   used       it is part of what is printed (translate.js)
//   unneeded   nothing in a container needs it
//   instead    there is no equivalent; the remedy
//   unless     values with which there is nothing to do, as they are pm2's default or turn the option off
// and how pm2 reads it: its other names, and whether it is a text, a list of words, a number, a size or a time.
const used = { used: true };
const text = { ...used, text: true };
const unneeded = { unneeded: true };
const OFF = [false, 0, '0', '', null];

const OPTIONS = {
  script: { ...text, names: ['exec', 'cmd', 'command'] },
  name: text,
  name_prefix: unneeded,
  filter_env: { instead: 'a container has only the variables that you give it', unless: OFF },
  namespace: unneeded,
  install_url: unneeded,
  cwd: text,
  args: { ...used, words: true },
  exec_interpreter: { ...text, names: ['interpreter'] },
  node_args: { ...used, words: true, names: ['interpreter_args', 'interpreterArgs'] },
  out_file: { instead: LOGS, names: ['out_log', 'output', 'out'] },
  error_file: { instead: LOGS, names: ['err_log', 'err_file', 'err', 'error'] },
  log_file: { instead: LOGS, names: ['log'], unless: OFF },
  disable_logs: { instead: 'give the service the log driver none (compose: logging: { driver: none })', unless: OFF },
  log_type: text,
  log_date_format: { instead: 'read the log with docker logs --timestamps, or let the app\'s logger write the time' },
  time: { instead: 'read the log with docker logs --timestamps, or let the app\'s logger write the time', unless: OFF },
  env: used,
  max_memory_restart: { ...used, size: true },
  pid_file: { ...unneeded, names: ['pid'] },
  restart_delay: { ...used, number: true },
  exp_backoff_restart_delay: { ...used, number: true },
  source_map_support: used,
  disable_source_map_support: unneeded,
  wait_ready: used,
  instances: used,
  kill_timeout: { ...used, number: true },
  shutdown_with_message: {
    instead: 'pidone sends no message: do the same work in process.on(\'SIGTERM\', …), and add --http-drain 5s (for HTTP servers) or --stop signal',
    unless: OFF,
  },
  listen_timeout: { ...used, number: true },
  cron_restart: { ...used, names: ['cron'] },
  merge_logs: { ...unneeded, names: ['combine_logs'] },
  vizion: unneeded,
  autostart: { instead: 'do not start the container: give the service a profile (compose: profiles: [manual])', unless: [true] },
  autorestart: used,
  stop_exit_codes: { ...used, words: true },
  watch_delay: unneeded,
  watch: { instead: WATCH, unless: OFF },
  ignore_watch: unneeded,
  watch_options: unneeded,
  min_uptime: { ...used, time: true },
  max_restarts: { ...used, number: true },
  execute_command: unneeded,
  exec_mode: text,
  force: unneeded,
  append_env_to_name: unneeded,
  post_update: { instead: 'run these commands when the image is built' },
  trace: { instead: TRACING, unless: OFF },
  disable_trace: unneeded,
  v8: { instead: TRACING, unless: OFF },
  event_loop_inspector: { instead: TRACING, unless: OFF },
  deep_monitoring: { instead: TRACING, unless: OFF },
  increment_var: text,
  instance_var: text,
  pmx: { instead: TRACING, unless: [...OFF, true] },
  automation: unneeded,
  treekill: used,
  port: { ...used, number: true },
  username: unneeded,
  uid: { ...used, names: ['user'] },
  gid: used,
  windowsHide: unneeded,
  kill_retry_time: unneeded,
  write: unneeded,
  io: { instead: TRACING },
};

/** pm2 knows each of its names in camel case too. */
const camel = (name) => name.replace(/(?!^)_([a-z])(?=[a-z])/g, (_, letter) => letter.toUpperCase());

const names = (option) => [option, ...(OPTIONS[option].names ?? []), camel(option)];

const UNITS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, s: 1000, m: 60000, h: 3600000 };

/** A value as pm2 understands it; undefined if pm2 itself rejects it. */
function value(option, given) {
  const how = OPTIONS[option];
  const string = typeof given === 'string' ? given : undefined;
  if (how.text) return string;
  if (how.words) return Array.isArray(given) ? given.map(String) : pm2Words(String(given));
  if (how.number || how.size || how.time) {
    if (string !== '' && !isNaN(given)) return Number(given);
    const pattern = how.size ? /^\d+[KMG]$/ : /^\d+[smh]$/;
    return string && !how.number && pattern.test(string) ? parseInt(string, 10) * UNITS[string.at(-1)] : undefined;
  }
  return given;
}

/**
 * Sorts the options of an app: `values` by pm2's names, with `spelling` as in the file; `environments`, those of
 * `env_production` and the like; `invalid` and `unknown` ones.
 */
function sort(app) {
  const sorted = { values: {}, spelling: {}, environments: {}, invalid: [], unknown: [] };
  const known = new Set();
  for (const option of Object.keys(OPTIONS)) {
    const all = names(option);
    all.forEach((name) => known.add(name));
    // As pm2: the first that is not empty, or else the last.
    const name = all.find((name) => app[name]) ?? all.at(-1);
    if (app[name] === undefined || app[name] === null) continue;
    const read = value(option, app[name]);
    if (read === undefined) sorted.invalid.push(name);
    else sorted.values[option] = read;
    sorted.spelling[option] = name;
  }
  for (const name of Object.keys(app).filter((name) => !known.has(name))) {
    const environment = /^env_(\S+)$/.exec(name);
    if (environment && typeof app[name] === 'object') sorted.environments[environment[1]] = app[name];
    else sorted.unknown.push(name);
  }
  return sorted;
}

module.exports = { OPTIONS, sort };
