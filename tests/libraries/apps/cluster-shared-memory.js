const memory = require('cluster-shared-memory');
const { listen } = require('./app.js');
require('./clustered.js')(
  () => {},
  () => listen({ '/set': () => memory.set('key', 'shared'), '/get': () => memory.get('key') }),
);
