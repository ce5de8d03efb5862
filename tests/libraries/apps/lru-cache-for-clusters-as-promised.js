const Cache = require('lru-cache-for-clusters-as-promised');
const { listen } = require('./app.js');
require('./clustered.js')(
  () => Cache.init(),
  () => {
    const cache = new Cache({ namespace: 'test', max: 5 });
    listen({ '/set': () => cache.set('key', 'shared'), '/get': () => cache.get('key') });
  },
);
