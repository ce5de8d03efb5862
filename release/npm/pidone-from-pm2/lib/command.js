'use strict';

// The command that pm2 starts, without what would stand between pidone and the app.

const fs = require('node:fs');
const path = require('node:path');
const { assignments, shellWords } = require('./words.js');
const { Problem } = require('./problem.js');

/** What pm2 starts a script with (its lib/API/interpreter.json); all else it takes for Node.js or a program. */
const BY_EXTENSION = {
  '.sh': 'bash', '.py': 'python3', '.rb': 'ruby', '.php': 'php', '.pl': 'perl', '.coffee': 'coffee', '.ls': 'lsc',
  '.js': 'node', '.cjs': 'node', '.mjs': 'node', '.ts': 'node', '.tsx': 'node', '.mts': 'node', '.cts': 'node',
};

/** Tools that start Node.js as their own child, and the options of Node.js that do the same. */
const LOADERS = {
  tsx: ['--import', 'tsx'],
  'ts-node': ['-r', 'ts-node/register'],
  'ts-node-esm': ['--loader', 'ts-node/esm'],
  'babel-node': ['-r', '@babel/register'],
};

const MANAGERS = ['npm', 'npx', 'pnpm', 'pnpx', 'yarn', 'bun', 'bunx'];

/** How deep scripts of package.json may name each other. */
const DEPTH = 5;

/**
 * The directory of an app: as the file names it, where its files are on this machine, and in the image, where the file's own
 * directory is /app.
 */
function place(cwd, home) {
  const named = path.resolve(home, cwd ?? '.');
  const inside = path.relative(home, named);
  if (!inside.startsWith('..')) return { named, here: named, image: path.posix.join('/app', inside), checks: [] };
  const checks = [`cwd ${cwd} is a directory of this machine: the image has its files in /app`];
  return { named, here: fs.existsSync(named) ? named : home, image: '/app', checks };
}

/** A path as the command in the image has it. */
function local(script, { named }, found) {
  if (!path.isAbsolute(script)) return path.posix.normalize(script);
  const inside = path.relative(named, script);
  if (!inside.startsWith('..')) return inside;
  found.checks.push(`${script} is a path of this machine: give the one in the image`);
  return script;
}

/** The command of an app: `words`, `env` that it sets itself, `language`, and `checks` for the user. */
function command(values, where) {
  const found = { env: {}, checks: [...where.checks] };
  const { script } = values;
  if (!script) throw new Problem('it has no script');
  const args = values.args ?? [];
  if (/\s/.test(script)) {
    // pm2 gives it to a shell, without `args`.
    found.words = unwrap(line(script, found), where, found, DEPTH);
  } else if (isProgram(script, values.exec_interpreter, where)) {
    const program = script.includes('/') ? local(script, where, found) : script;
    found.words = unwrap([program, ...args], where, found, DEPTH);
  } else {
    found.words = interpreted(values, local(script, where, found), args, found);
  }
  found.language = language(found.words[0]);
  return found;
}

/** pm2 takes a script for a program if it is one of PATH or not a text; `bin/www` of many apps is neither. */
function isProgram(script, interpreter, where) {
  if (interpreter === 'none') return true;
  if (interpreter !== undefined || path.extname(script) in BY_EXTENSION) return false;
  if (!isFile(script, where)) return !script.includes('/');
  const start = Buffer.alloc(4);
  const file = fs.openSync(path.resolve(where.here, script));
  fs.readSync(file, start, 0, start.length, 0);
  fs.closeSync(file);
  return start.equals(Buffer.from('\x7fELF'));
}

function isFile(script, { here }) {
  return fs.statSync(path.resolve(here, script), { throwIfNoEntry: false })?.isFile() ?? false;
}

/** What a program runs; one that is not known is taken for a package's, which is Node.js. */
function language(program) {
  const name = path.basename(program);
  if (['bun', 'deno'].includes(name)) return name;
  const isOther = /^((ba|da|k|z)?sh|python[\d.]*|ruby|php[\d.]*|perl|java|gunicorn|uvicorn|celery)$/.test(name);
  return isOther || path.extname(name) === '.sh' ? 'other' : 'node';
}

function line(text, found) {
  const words = shellWords(text);
  if (words === undefined) {
    found.checks.push(`${JSON.stringify(text)} needs a shell, which stays between pidone and the app: name the app's own command`);
    return ['sh', '-c', text];
  }
  const { env, rest } = assignments(words);
  Object.assign(found.env, env);
  return rest;
}

function interpreted(values, script, args, found) {
  const extension = path.extname(script);
  const given = values.exec_interpreter ?? BY_EXTENSION[extension] ?? 'node';
  const options = values.node_args ?? [];
  const [, name, version] = /^(.+?)(?:@(.+))?$/.exec(path.basename(given));
  if (name in LOADERS) return ['node', ...LOADERS[name], ...options, script, ...args];
  if (name !== 'node') return [name === path.basename(given) && given.startsWith('.') ? given : name, ...options, script, ...args];
  if (version) found.checks.push(`interpreter ${given}: use the base image of this version: FROM node:${version.split('.')[0]}-slim`);
  if (/^\.[cm]?tsx?$/.test(extension) && !options.some((option) => /tsx|ts-node|swc|strip-types/.test(option))) {
    found.checks.push(`${script} is TypeScript, which Node.js 22.18 and newer run; for older ones add --import tsx, or build it`);
  }
  const maps = values.source_map_support === true ? ['--enable-source-maps'] : [];
  return ['node', ...maps, ...options, script, ...args];
}

/** Replaces package managers and wrappers by what they start. */
function unwrap(words, where, found, depth) {
  const [first, ...rest] = words;
  const name = path.basename(first);
  if (depth > 0 && MANAGERS.includes(name)) {
    const inner = managed(name, rest, where);
    if (inner) return unwrap(typeof inner === 'string' ? line(inner, found) : inner, where, found, depth - 1);
    if (name !== 'bun') {
      found.checks.push(`${words.join(' ')} keeps ${name} between pidone and the app, and signals may not reach the app: name the command that it runs`);
      return words;
    }
  }
  if (name === 'cross-env' || name === 'env') {
    const { env, rest: inner } = assignments(rest);
    Object.assign(found.env, env);
    if (inner.length > 0 && !inner[0].startsWith('-')) return unwrap(inner, where, found, depth);
  }
  if (name in LOADERS && rest.length > 0 && !rest[0].startsWith('-')) return ['node', ...LOADERS[name], ...rest];
  if (name === 'node') return ['node', ...rest];
  if (first !== name) return words;
  // What packages bring is not in the image's PATH, and a file of the app's own neither.
  const bin = path.posix.join('node_modules/.bin', name);
  if (isFile(bin, where) || isDependency(name, where)) return ['node', bin, ...rest];
  return [isFile(name, where) ? `./${name}` : name, ...rest];
}

function manifest({ here }) {
  try {
    return JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8'));
  } catch {
    return {};
  }
}

/** Before npm install, the name must do. */
function isDependency(name, where) {
  const { dependencies = {}, devDependencies = {} } = manifest(where);
  return name in dependencies || name in devDependencies;
}

/** What a package manager runs: a line of package.json, or a program's words. */
function managed(manager, args, where) {
  const begin = args.findIndex((word) => !word.startsWith('-'));
  if (begin < 0) return undefined;
  const [verb, ...rest] = args.slice(begin);
  if (['npx', 'pnpx', 'bunx'].includes(manager)) return [verb, ...rest];
  if (['exec', 'x', 'dlx', 'node'].includes(verb) && manager !== 'bun') {
    return verb === 'node' ? ['node', ...rest] : rest.filter((word) => word !== '--');
  }
  const isRun = verb === 'run' || verb === 'run-script';
  const [name, ...added] = isRun ? rest : [verb, ...rest];
  if (!isRun && manager === 'npm' && verb !== 'start') return undefined;
  const { scripts = {} } = manifest(where);
  const text = scripts[name] ?? (name === 'start' && manager === 'npm' && isFile('server.js', where) ? 'node server.js' : undefined);
  const more = manager === 'npm' && added[0] === '--' ? added.slice(1) : added;
  return text && [text, ...more].join(' ');
}

module.exports = { command, place };
