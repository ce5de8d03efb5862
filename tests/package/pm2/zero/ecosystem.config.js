module.exports = {
  apps: [{
    name: 'zero',
    script: 'build/server.js',
    instances: 0,
    exec_mode: 'cluster_mode',
    increment_var: 'NODE_ID',
    instance_var: 'INSTANCE_ID',
    env: { NODE_ID: 'a' },
  }],
  deploy: {
    production: { user: 'deploy', host: 'host.invalid', ref: 'origin/main', repo: 'git@host.invalid:app.git', path: '/srv/app' },
  },
};
