'use strict';

const path = require('node:path');
const { find, read } = require('./read.js');
const { translate } = require('./translate.js');
const { print } = require('./print.js');
const { Problem } = require('./problem.js');

const HELP = `pidone-from-pm2 [--env NAME] [FILE]

Prints, for each app of a pm2 file (ecosystem.config.js, .cjs, .mjs, .json or .yaml), the pidone command line, the Dockerfile
lines and the compose service that replace it, and a line for each option that has no equivalent.

  --env NAME   add the variables of env_NAME, as pm2 start --env NAME does
  -h, --help   this page
`;

const ALWAYS = `# For every app

Install pidone where pm2 was: npm uninstall pm2 && npm install pidone
The Dockerfile lines come after npm ci. If the final image has no shell, run cp in the build stage and COPY /pidone from it.
pm2 stops an app with SIGINT, a container engine with SIGTERM. An app that handles only SIGINT needs --stop-signal INT.
With -i, an app that handles SIGTERM itself needs --http-drain 5s (HTTP servers) or --stop signal.
`;

function arguments_(words) {
  const given = {};
  for (let n = 0; n < words.length; n += 1) {
    const word = words[n];
    if (word === '-h' || word === '--help') given.help = true;
    else if (word === '--env' && words[n + 1] !== undefined) given.environmentName = words[(n += 1)];
    else if (word.startsWith('--env=')) given.environmentName = word.slice('--env='.length);
    else if (word.startsWith('-') || given.file !== undefined) throw new Problem(`unexpected argument ${word}; see pidone-from-pm2 --help`);
    else given.file = word;
  }
  return given;
}

/** The apps of a file, and what else it has. */
function contents(config, file) {
  if (config === null || typeof config !== 'object') throw new Problem(`${file} has no apps`);
  const inner = config.apps ?? config.pm2 ?? (config.static && !config.script ? [] : config);
  const apps = [inner].flat();
  if (apps.length === 0 && !config.static) throw new Problem(`${file} has no apps`);
  const others = inner === config ? [] : Object.keys(config).filter((key) => !['apps', 'pm2', '__esModule', 'default'].includes(key));
  return { apps, others };
}

const OTHERS = {
  deploy: 'build a new image and start it: a container is replaced, not updated in place',
  static: 'use a web server\'s image instead, such as nginx',
};

async function main(words) {
  const { help, environmentName, file = undefined } = arguments_(words);
  if (help) return HELP;
  const name = file ?? find();
  const { apps, others } = contents(await read(name), name);
  const home = path.dirname(path.resolve(name));
  const taken = new Set();
  const texts = apps.map((app, n) => {
    try {
      return print(translate(app, { home, environmentName }), { alone: apps.length === 1, taken });
    } catch (error) {
      if (error.forUser) error.message = `${name}: app ${typeof app?.name === 'string' ? app.name : n + 1}: ${error.message}`;
      throw error;
    }
  });
  if (others.length > 0) {
    const line = (key) => `  ${key}: ${OTHERS[key] ?? 'pm2 has no such option'}\n`;
    texts.push(`# The rest of the file\n\nNo equivalent:\n${others.map(line).join('')}`);
  }
  texts.push(ALWAYS);
  return texts.join('\n');
}

module.exports = { main };
