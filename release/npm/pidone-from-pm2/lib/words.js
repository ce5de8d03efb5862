'use strict';

// Lines to words and back.

/** The words of a string option such as `args`, as pm2 splits them (its lib/tools/Config.js). */
function pm2Words(text) {
  const words = text.match(/[^\s"'=]+="[^"]*"|[^\s"'=]+='[^']*'|"([^"]*)"|'([^']*)'|\S+/g) ?? [];
  return words.map((word) => word.replace(/^"(.*)"$|^'(.*)'$/s, '$1$2')).filter((word) => word.trim());
}

/** The words of a simple shell command; nothing if it needs a shell. */
function shellWords(line) {
  if (/[;&|<>`$(){}*?~\\\n]/.test(line)) return undefined;
  const words = line.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

/** Takes the assignments off the front of a command. */
function assignments(words) {
  const env = {};
  let rest = words;
  while (rest.length > 0 && /^[A-Za-z_]\w*=/.test(rest[0])) {
    const at = rest[0].indexOf('=');
    env[rest[0].slice(0, at)] = rest[0].slice(at + 1);
    rest = rest.slice(1);
  }
  return { env, rest };
}

/** Words as a line for a POSIX shell. */
function shellLine(words) {
  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`);
  return words.map(quoted).join(' ');
}

/** A time in milliseconds as pidone takes it. */
function time(milliseconds) {
  const whole = Math.max(0, Math.round(milliseconds));
  for (const [unit, length] of [['h', 3600000], ['m', 60000], ['s', 1000]]) {
    if (whole > 0 && whole % length === 0) return `${whole / length}${unit}`;
  }
  return whole === 0 ? '0' : `${whole}ms`;
}

/** A size in bytes as pidone takes it: whole MiB at least. */
function size(bytes) {
  const mebibytes = Math.max(1, Math.ceil(bytes / 2 ** 20));
  return mebibytes % 1024 === 0 ? `${mebibytes / 1024}G` : `${mebibytes}M`;
}

module.exports = { assignments, pm2Words, shellLine, shellWords, size, time };
