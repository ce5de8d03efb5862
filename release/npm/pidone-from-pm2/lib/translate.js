'use strict';

// One app of a pm2 file, as pidone runs it.

const { OPTIONS, sort } = require('./options.js');
const { command, place } = require('./command.js');
const { size, time } = require('./words.js');
const { Problem } = require('./problem.js');

/** pidone's own defaults for `--backoff`, and the longest delay of pm2. */
const [MIN_DELAY, MAX_DELAY, PM2_MAX_DELAY] = [100, 30000, 15000];
/** pidone's default for `--grace` with workers. */
const GRACE = 30000;

/** The number of workers, pm2's `max` and `0` as `auto`. */
function count(values, notes) {
  const given = values.instances;
  if (given === undefined) return 1;
  if (given === 'max') return 'auto';
  const number = parseInt(given, 10) || 0;
  if (number >= 0) return number === 0 ? 'auto' : Math.min(number, 1024);
  const fewer = number === -1 ? 'one worker fewer' : `${-number} workers fewer`;
  notes.push(['instances', `for ${fewer} than CPUs, give -i N; -i auto is a worker for each CPU of the container`]);
  return 'auto';
}

/** The window in which so many restarts can come, with delays that double from `min` to `max`. */
function windowFor(restarts, [min, max]) {
  let least = 0;
  for (let n = 0; n < restarts; n += 1) least += n === 0 ? 0 : Math.min(max, min * 2 ** Math.min(n - 1, 30));
  const windows = [1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440].map((minutes) => minutes * 60000);
  return time(windows.find((window) => window >= least) ?? 1000 * 3600000);
}

/** Options about restarts, and which delays they make. */
function restarts(values, add) {
  let delays = [MIN_DELAY, MAX_DELAY];
  if (values.exp_backoff_restart_delay > 0 && values.exp_backoff_restart_delay !== MIN_DELAY) {
    const first = values.exp_backoff_restart_delay;
    delays = [first, Math.max(first, PM2_MAX_DELAY)];
  } else if (values.restart_delay > 0) {
    delays = [values.restart_delay, values.restart_delay];
  }
  const isDefault = delays[0] === MIN_DELAY && delays[1] === MAX_DELAY;
  if (!isDefault) add('--backoff', `${time(delays[0])}..${time(delays[1])}`);
  if (values.min_uptime !== undefined) add('--min-uptime', time(values.min_uptime));
  if (values.max_restarts !== undefined) {
    const most = Math.min(values.max_restarts, 1000);
    add('--max-restarts', `${most}/${windowFor(most, delays)}`);
  }
}

function restartPolicy(values) {
  const codes = (values.stop_exit_codes ?? []).map(Number).filter((code) => Number.isInteger(code) && code >= 0 && code < 256);
  const policy = values.autorestart === false ? 'never' : codes.length > 0 ? 'on-failure' : 'always';
  return { policy, codes: policy === 'on-failure' ? codes.filter((code) => code !== 0) : [] };
}

/** What `env` and the options that are environment give, as strings; objects are JSON, as under pm2. */
function environment(values, sorted, name, { found, checks }) {
  const env = { ...found.env, ...(typeof values.env === 'object' ? values.env : {}), ...(sorted.environments[name] ?? {}) };
  if (values.port !== undefined) env.PORT = values.port;
  const text = (value) => (typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value));
  const isSet = (key) => env[key] !== undefined && env[key] !== null;
  const unset = Object.keys(env).filter((key) => !isSet(key));
  if (unset.length > 0) checks.push(`env: no value here for ${unset.join(', ')}; set it in the container's environment`);
  return Object.fromEntries(Object.keys(env).filter(isSet).map((key) => [key, text(env[key])]));
}

/** Whether `--instance-var` takes this name. */
const isFree = (name) => /^[A-Za-z_]\w*$/.test(name) && !/^(NODE|LISTEN|PIDONE)_/.test(name);

const isPort = (text) => /^\d+$/.test(text ?? '') && Number(text) > 0 && Number(text) < 65536;

/**
 * Translates one app. `notes` are pairs of an option without an equivalent and its remedy, `checks` sentences about what
 * differs, and `unneeded` names of options that a container does not need.
 */
function translate(app, { home, environmentName }) {
  if (app === null || typeof app !== 'object' || Array.isArray(app)) throw new Problem('an app must be an object with a script');
  const sorted = sort(app);
  const { values } = sorted;
  const where = place(values.cwd, home);
  const found = command(values, where);
  const notes = [];
  const checks = [...found.checks];
  const options = [];
  const add = (...words) => options.push(...words.map(String));

  const workers = count(values, notes);
  const mode = String(values.exec_mode ?? '').replace(/_mode$/, '');
  const cluster = mode === 'cluster' || (mode === '' && values.instances !== undefined && ['node', 'bun'].includes(found.language));
  const env = environment(values, sorted, environmentName, { found, checks });

  // Only workers have these, so one worker it is where pm2 has a forked process.
  const needsWorkers = ['max_memory_restart', 'wait_ready', 'increment_var'].filter((option) => values[option]);
  const hasWorkers = cluster || workers !== 1 || needsWorkers.length > 0;
  const isNode = found.language === 'node';
  const isOther = values.instance_var !== undefined && values.instance_var !== 'NODE_APP_INSTANCE';
  const { policy, codes } = restartPolicy(values);

  if (hasWorkers) {
    add('-i', workers);
    if (found.language === 'other') add('--channel', 'off');
    if (policy !== 'always') add('--restart', policy);
  } else if (policy !== 'never') {
    add('--restart', policy);
  }
  codes.forEach((code) => add('-e', code));
  if (codes.length > 0) checks.push(`${sorted.spelling.stop_exit_codes}: with --restart on-failure, an app that exits with 0 is not restarted either`);
  if (policy !== 'never') restarts(values, add);

  let ports = isPort(env.PORT) ? [Number(env.PORT), Number(env.PORT)] : undefined;
  if (hasWorkers) {
    const variable = values.increment_var;
    const counts = variable && !isPort(env[variable]);
    if (variable && env[variable] === undefined) {
      notes.push(['increment_var', `the file gives ${variable} no value: if it is a port, give --port-env ${variable}`]);
    } else if (counts) {
      notes.push(['increment_var', `${variable} is not a port, and --port-env counts only ports up: use NODE_APP_INSTANCE, which is 0, 1, … in the workers`]);
    } else if (variable) {
      add('--port-env', variable);
      if (variable === 'PORT' && workers !== 'auto') ports = [ports[0], ports[0] + workers - 1];
      checks.push(`increment_var: each worker has its own port, so a proxy must distribute the connections; without --port-env, all workers share port ${env[variable]}`);
    }
    if (values.wait_ready && isNode) add('--ready', 'message');
    else if (found.language === 'other' && !options.includes('--port-env')) add('--ready', 'none');
    if (values.wait_ready && !isNode) notes.push(['wait_ready', `only Node.js has process.send('ready') with pidone; ${found.words[0]} can send READY=1 to NOTIFY_SOCKET: --ready notify`]);
    if (values.listen_timeout > 0 && (isNode || variable)) add('--ready-timeout', time(values.listen_timeout));
    if (values.max_memory_restart) add('--max-memory', size(values.max_memory_restart));
    if (values.treekill === false) add('--kill-mode', 'process');
    if (isOther && isFree(values.instance_var)) {
      add('--instance-var', values.instance_var);
      // pm2 overwrites it, pidone refuses to.
      delete env[values.instance_var];
    } else if (isOther) {
      notes.push(['instance_var', `the name ${values.instance_var} is reserved: read NODE_APP_INSTANCE, or give --instance-var another name`]);
    }
    if (isNode && !cluster && workers !== 1) {
      checks.push('instances: under pm2, forked processes do not share a port; as workers (-i), they do');
    }
    if (isNode && !values.wait_ready && !ports) {
      checks.push('an app that listens on no port, such as a queue consumer or a bot, needs --ready none');
    }
    if (found.language === 'bun' || found.language === 'deno') {
      checks.push(`${found.language} does not share a port by itself: see docs/runtimes.md in pidone's repository`);
    }
  } else {
    if (values.listen_timeout > 0) checks.push('listen_timeout: without workers (-i), nothing waits for the app to listen');
    if (isOther) checks.push(`instance_var: a single process has no number; set ${values.instance_var} in its environment`);
    if (values.treekill === false) checks.push('treekill: processes that the app leaves behind end with its container');
  }
  if (values.kill_timeout > 0) add('--grace', time(values.kill_timeout));
  if (values.log_type === 'json') add('--log-format', 'json');
  const user = values.uid === undefined && values.gid === undefined ? undefined : [values.uid ?? 0, values.gid].filter((id) => id !== undefined).join(':');
  if (![undefined, 0, '0', ''].includes(values.cron_restart)) notes.push(cron(values, policy, hasWorkers));

  if (env.PM2_SERVE_PATH !== undefined) checks.push(`${values.script}: pm2 serves files here; use a web server's image instead, such as nginx`);
  remarks(sorted, environmentName, notes, checks);
  return {
    name: String(values.name ?? scriptName(values.script)),
    words: found.words,
    options,
    env,
    portVariable: options.includes('--port-env') ? values.increment_var : undefined,
    ports,
    user,
    directory: where.image,
    workers: hasWorkers,
    restart: policy,
    stopPeriod: hasWorkers ? (values.kill_timeout || GRACE) : values.kill_timeout,
    notes: notes.map(([option, remedy]) => [sorted.spelling[option], app[sorted.spelling[option]], remedy]),
    checks,
    unneeded: Object.keys(values).filter((option) => isUnneeded(option, policy)).map((option) => sorted.spelling[option]),
    unknown: sorted.unknown,
  };
}

/** Options that a container does not need, and those about restarts where there are none. */
function isUnneeded(option, policy) {
  const restart = ['restart_delay', 'exp_backoff_restart_delay', 'min_uptime', 'max_restarts', 'stop_exit_codes'];
  return OPTIONS[option].unneeded === true || (policy === 'never' && restart.includes(option));
}

function cron(values, policy, hasWorkers) {
  if (policy === 'never') return ['cron_restart', 'it is a job: let cron or your orchestrator start the container at that time'];
  return ['cron_restart', hasWorkers
    ? 'let your scheduler run docker exec SERVICE /pidone ctl reload at that time, or give --max-age 24h'
    : 'let your scheduler run docker restart SERVICE at that time'];
}

function scriptName(script) {
  const base = script.split('/').pop();
  const dot = base.lastIndexOf('.');
  return dot > 0 ? base.slice(0, dot) : base;
}

/** What the table of options says about those that are given. */
function remarks(sorted, environmentName, notes, checks) {
  for (const [option, value] of Object.entries(sorted.values)) {
    const { instead, unless = [] } = OPTIONS[option];
    if (instead && !unless.includes(value)) notes.push([option, instead]);
  }
  for (const name of sorted.invalid) checks.push(`${name}: pm2 rejects this value, so it is not translated`);
  for (const name of Object.keys(sorted.environments)) {
    if (name !== environmentName) checks.push(`env_${name} is not included: use pidone-from-pm2 --env ${name}`);
  }
}

module.exports = { translate };
