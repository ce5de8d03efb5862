const { promisify } = require('node:util');
const memored = require('memored');
const { listen } = require('./app.js');
require('./clustered.js')(
  () => {},
  () => listen({
    '/set': () => promisify(memored.store)('key', 'shared'),
    '/get': () => promisify(memored.read)('key'),
  }),
);
