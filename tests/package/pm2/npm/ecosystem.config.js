module.exports = {
  apps: [{
    name: 'npm',
    script: 'npm',
    args: 'run start:prod -- --port 3000',
    exec_mode: 'cluster',
    instances: process.env.PM2_INSTANCES || 2,
    max_memory_restart: '300M',
    error_file: '/dev/stderr',
    out_file: '/dev/stdout',
    time: false,
    env: { HOST: '0.0.0.0' },
  }],
};
