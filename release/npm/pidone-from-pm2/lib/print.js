'use strict';

// A translated app as text: what to run, what to write into the Dockerfile and into compose.yaml, and what is left.

const { shellLine, time } = require('./words.js');

/** Docker's own stop timeout, and how much more than pidone's a runtime's should be. */
const [DOCKER_STOP, MORE] = [10000, 5000];

/** A name that compose takes for a service, unique among those of the file. */
function serviceName(name, taken) {
  const plain = name.toLowerCase().replace(/[^a-z0-9_-]+/g, '-').replace(/^[-_]+|-+$/g, '') || 'app';
  let unique = plain;
  for (let n = 2; taken.has(unique); n += 1) unique = `${plain}-${n}`;
  taken.add(unique);
  return unique;
}

const json = (words) => `[${words.map((word) => JSON.stringify(word)).join(', ')}]`;

/** A string of YAML, with compose's own `$` doubled. */
const yamlText = (text) => JSON.stringify(text).replaceAll('$', '$$$$');

function commandLine(app) {
  const front = app.portVariable ? `${app.portVariable}=${app.env[app.portVariable]} ` : '';
  return [`${front}${shellLine(['pidone', ...app.options, '--', ...app.words])}`];
}

function dockerfile(app) {
  // The variables of a RUN line are the shell's: this runs where npm ci did, as root.
  const lines = ['WORKDIR /app', 'RUN cp node_modules/pidone/bin/pidone-linux-$(node -p process.arch) /pidone'];
  if (app.directory !== '/app') lines.push(`WORKDIR ${app.directory}`);
  if (app.user) lines.push(`USER ${app.user}`);
  if (app.workers) lines.push('HEALTHCHECK CMD ["/pidone", "ctl", "ready"]');
  lines.push(`ENTRYPOINT ${json(['/pidone', ...app.options, '--'])}`, `CMD ${json(app.words)}`);
  return lines;
}

function service(app, name, file) {
  const lines = ['services:', `  ${name}:`];
  if (file === 'Dockerfile') lines.push('    build: .');
  else lines.push('    build:', '      context: .', `      dockerfile: ${file}`);
  const variables = Object.entries(app.env);
  if (variables.length > 0) {
    lines.push('    environment:', ...variables.map(([key, value]) => `      ${yamlKey(key)}: ${yamlText(value)}`));
  }
  if (app.ports) {
    const [first, last] = app.ports;
    const range = first === last ? `${first}` : `${first}-${last}`;
    lines.push('    ports:', `      - "${range}:${range}"`);
  }
  if (app.stopPeriod + MORE > DOCKER_STOP) {
    const seconds = Math.ceil((app.stopPeriod + MORE) / 1000) * 1000;
    lines.push(`    stop_grace_period: ${time(seconds)}`);
  }
  lines.push(`    restart: ${app.restart === 'never' ? '"no"' : 'unless-stopped'}`);
  return lines;
}

const yamlKey = (key) => (/^[A-Za-z_]\w*$/.test(key) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(key) ? key : JSON.stringify(key));

function short(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** One app; `alone` if the file has no other. */
function print(app, { alone, taken }) {
  const name = serviceName(app.name, taken);
  const file = alone ? 'Dockerfile' : `${name}.Dockerfile`;
  const notes = app.notes.map(([option, value, remedy]) => `${option} (${short(value)}): ${remedy.replaceAll('SERVICE', name)}`);
  notes.push(...app.unknown.map((option) => `${option}: pm2 has no such option`));
  const parts = [
    ['Command', commandLine(app)],
    [file, dockerfile(app)],
    ['compose.yaml', service(app, name, file)],
    ['No equivalent', notes],
    ['Check', app.checks],
    ['Not needed', app.unneeded.length > 0 ? [app.unneeded.join(', ')] : []],
  ];
  const shown = parts.filter(([, lines]) => lines.length > 0);
  const text = shown.map(([title, lines]) => `${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`).join('\n');
  return `# ${app.name}\n\n${text}`;
}

module.exports = { print };
