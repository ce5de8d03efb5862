module.exports = {
  apps: [
    {
      name: 'next',
      script: 'node_modules/next/dist/bin/next',
      args: 'start -p 3000',
      instances: '2',
      exec_mode: 'cluster',
      max_memory_restart: 314572800,
      listenTimeout: 20000,
      env_staging: { NODE_ENV: 'production', API: 'https://staging.invalid' },
    },
  ],
};
