import path from 'node:path';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

export default {
  apps: [{
    name: 'ports',
    cwd: here,
    script: path.join(here, 'app.mjs'),
    instances: 2,
    increment_var: 'PORT',
    port: 41000,
    exec_mode: 'cluster',
    exp_backoff_restart_delay: 250,
    max_restarts: 16,
    min_uptime: '5s',
  }],
};
