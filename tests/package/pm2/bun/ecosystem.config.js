module.exports = {
  apps: [{ name: 'bun', script: 'server.ts', interpreter: 'bun', instances: 2, env: { PORT: 3000 } }],
};
