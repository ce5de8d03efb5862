module.exports = {
  apps: [
    { name: 'command', script: 'NODE_ENV=production node --no-warnings server.js --port 3000', args: 'ignored' },
    { name: 'piped', script: 'node server.js | tee app.log' },
  ],
};
