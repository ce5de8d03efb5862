const io = require('@pm2/io').init({ metrics: { v8: true, eventLoop: true, http: true } });
const { listen } = require('./app.js');
const asked = io.counter({ name: 'asked' });
listen({ '/asked': () => asked.inc() });
