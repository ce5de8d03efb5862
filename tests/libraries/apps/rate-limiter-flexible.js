const { RateLimiterCluster, RateLimiterClusterMaster } = require('rate-limiter-flexible');
const { listen } = require('./app.js');
require('./clustered.js')(
  () => new RateLimiterClusterMaster(),
  () => {
    const limiter = new RateLimiterCluster({ keyPrefix: 'test', points: 5, duration: 60, timeoutMs: 500 });
    const passed = () => 'passed';
    listen({ '/limited': () => limiter.consume('a').then(passed, (why) => (why instanceof Error ? `error: ${why.message}` : 'refused')) });
  },
);
