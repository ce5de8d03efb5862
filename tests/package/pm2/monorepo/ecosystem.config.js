const path = require('path');

const shared = { autorestart: true, vizion: false, pmx: false, time: true };

module.exports = {
  apps: [
    { ...shared, name: 'monorepo/api', cwd: path.join(__dirname, 'apps/api'), script: 'dist/index.js', instances: 2, env: { PORT: '4000' } },
    { ...shared, name: 'queue', cwd: './apps/queue', script: 'worker.js', exec_mode: 'fork', max_memory_restart: '200M' },
    { ...shared, name: 'mailer', cwd: './apps/queue', script: 'worker.js', exec_mode: 'fork', instances: 1, kill_timeout: 1600 },
    { name: 'report', script: 'jobs/report.js', autorestart: false, cron_restart: '15 2 * * 1', exec_mode: 'fork', instances: 1 },
    { name: 'python', script: 'tools/watch.py', interpreter: 'python3', interpreter_args: '-u', args: ['--interval', '5'] },
    { name: 'shell', script: 'tools/loop.sh', interpreter: 'none' },
  ],
};
