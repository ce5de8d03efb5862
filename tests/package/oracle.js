// oracle.js PM2 PIDONE_FROM_PM2 FILE...: compares the tables of options, and what both read of the files.
'use strict';

const assert = require('assert');
const path = require('path');

const [pm2, own, ...files] = process.argv.slice(2);
const schema = require(path.join(pm2, 'lib/API/schema.json'));
const { OPTIONS, sort } = require(path.join(own, 'lib/options.js'));
const { read } = require(path.join(own, 'lib/read.js'));

const plain = Object.keys(schema).filter((option) => !option.startsWith('^'));
assert.deepStrictEqual(Object.keys(OPTIONS).sort(), plain.sort());
for (const option of plain) {
  const aliases = [schema[option].alias ?? []].flat();
  for (const alias of aliases) {
    const { values } = sort({ [alias]: schema[option].type === 'number' ? 1 : true });
    assert.ok(option in values || !['boolean', 'number'].includes(schema[option].type), `${alias} is ${option}`);
    assert.deepStrictEqual(sort({ [alias]: 1 }).unknown, [], alias);
  }
}

const Config = require(path.join(pm2, 'lib/tools/Config.js'));

// What pm2 does to an app before it looks at the schema (lib/Common.js, verifyConfs), as far as these files need it.
const prepared = (app) => {
  const copy = { ...app, env: app.env ?? {} };
  if (copy.instances === 'max') copy.instances = 0;
  return copy;
};

// No option that is in the file is passed over: each changes what is printed, whatever else the app has.
const { translate } = require(path.join(own, 'lib/translate.js'));
const SAMPLES = {
  script: 'other.js', name: 'other', cwd: 'inside', args: '--flag', exec_interpreter: 'python3', node_args: '--no-warnings',
  log_type: 'json', env: { A: '1' }, max_memory_restart: '100M', restart_delay: 500, exp_backoff_restart_delay: 500,
  source_map_support: true, wait_ready: true, instances: 3, kill_timeout: 3000, listen_timeout: 3000,
  cron_restart: '0 3 * * *', autorestart: false, stop_exit_codes: [7], min_uptime: 5000, max_restarts: 4,
  increment_var: 'PORT', instance_var: 'ID', treekill: false, port: 4000, uid: 'node', gid: 'node',
};
const home = process.cwd();
for (const mode of [{ exec_mode: 'fork' }, { exec_mode: 'cluster', instances: 2 }, { exec_mode: 'fork', autorestart: false }]) {
  const app = { script: 'app.js', env: { PORT: '3000' }, ...mode };
  const usual = translate(app, { home });
  const samples = { ...SAMPLES, exec_mode: mode.exec_mode === 'fork' ? 'cluster' : 'fork' };
  for (const option of plain) {
    const value = samples[option] ?? (OPTIONS[option].used ? undefined : 'given');
    assert.notStrictEqual(value, undefined, `${option} has no sample`);
    if (value === app[option]) continue;
    assert.notDeepStrictEqual(translate({ ...app, [option]: value }, { home }), usual, `${option} ${JSON.stringify(app)}`);
  }
}

(async () => {
  let count = 0;
  for (const file of files) {
    const config = await read(file);
    for (const app of [config.apps ?? config].flat()) {
      const { errors, config: theirs } = Config.validateJSON(prepared(app));
      const { values, invalid } = sort(app);
      assert.deepStrictEqual(errors, [], file);
      assert.deepStrictEqual(invalid, [], file);
      for (const [option, value] of Object.entries(values)) {
        const expected = option === 'instances' ? Number(theirs.instances) : theirs[option];
        const found = option === 'instances' ? Number(value === 'max' ? 0 : value) : value;
        assert.deepEqual(found, expected, `${file}: ${option}`);
      }
      count += 1;
    }
  }
  console.log(`${count} apps read alike`);
})();
