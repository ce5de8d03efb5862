const { NAME = 'computed', NODE_ENV = 'production' } = process.env;

console.log(`loading the configuration of ${NAME}`);

const base = require('./pm2.base.json');

module.exports = {
  apps: [1, 2].map((n) => ({
    ...base,
    name: `${NAME}-${n}`,
    args: ['--shard', n],
    env: { NODE_ENV, SHARD: n, URL: `redis://cache/${n}?a=b&c=$d` },
  })),
};
