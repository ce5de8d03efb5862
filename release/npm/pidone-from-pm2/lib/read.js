'use strict';

// Reads a file as pm2 reads it (`parseConfig` in its lib/Common.js).

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { pathToFileURL } = require('node:url');
const { Problem } = require('./problem.js');

/** Where pm2's files usually are. */
const USUAL = ['ecosystem.config', 'ecosystem', 'pm2.config', 'pm2', 'process'].flatMap((name) =>
  ['.js', '.cjs', '.mjs', '.json', '.yml', '.yaml'].map((extension) => name + extension),
);

/** The file in this directory. */
function find() {
  const found = USUAL.find((name) => fs.existsSync(name));
  if (!found) throw new Problem('there is no ecosystem.config.js here; give the path of the file, as in: pidone-from-pm2 config/ecosystem.config.cjs');
  return found;
}

/** A module; what it prints itself must not get between the lines that this program prints. */
async function load(file) {
  const { log, info, debug } = console;
  Object.assign(console, { log: console.error, info: console.error, debug: console.error });
  try {
    const module = await import(pathToFileURL(path.resolve(file)));
    return module.default ?? module;
  } finally {
    Object.assign(console, { log, info, debug });
  }
}

/** What the file says: an object with `apps`, or one app, or a list of them. */
async function read(file) {
  if (!fs.existsSync(file)) throw new Problem(`there is no ${file}`);
  try {
    if (/\.[cm]?js$/.test(file)) return await load(file);
    const text = fs.readFileSync(file, 'utf8');
    if (/\.ya?ml$/.test(file)) return require('yaml').parse(text, { merge: true });
    // To pm2, JSON is an expression, with comments and names without quotes.
    if (/\.json5?$/.test(file)) return vm.runInThisContext(`(${text}\n)`, { filename: path.resolve(file) });
  } catch (error) {
    throw new Problem(`cannot read ${file}: ${String(error.message).split('\n')[0]}`);
  }
  throw new Problem(`${file} must end in .js, .cjs, .mjs, .json, .yml or .yaml`);
}

module.exports = { find, read };
