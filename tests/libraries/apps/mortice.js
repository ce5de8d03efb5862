const { listen } = require('./app.js');
const lock = import('mortice').then(({ default: mortice }) =>
  mortice({ name: 'test', singleProcess: process.env.SINGLE === '1' }));
require('./clustered.js')(
  () => {},
  () => listen({
    '/set': async () => {
      const release = await (await lock).writeLock();
      release();
      return 'shared';
    },
    '/get': async () => {
      const release = await (await lock).writeLock();
      release();
      return 'shared';
    },
  }),
);
