module.exports = {
  apps: [
    {
      name: 'typescript',
      script: './src/index.ts',
      interpreter: './node_modules/.bin/ts-node',
      interpreter_args: '--no-warnings',
      exec_mode: 'fork',
      wait_ready: true,
      listen_timeout: 10000,
      treekill: false,
      log_type: 'json',
    },
  ],
};
