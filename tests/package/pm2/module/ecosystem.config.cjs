/** @type {{ apps: object[] }} */
const ecosystem = {
  apps: [
    {
      name: 'module',
      script: 'server.mjs',
      instances: -1,
      waitReady: true,
      instance_var: 'NODE_WORKER',
      node_args: ['--max-old-space-size=256', '--import', './preload.mjs'],
      args: '--verbose --name "two words"',
      stop_exit_codes: [0, 7],
      shutdown_with_message: true,
      source_map_support: true,
    },
  ],
};

module.exports = ecosystem;
