const cluster = require('express-cluster');
const express = require('express');
cluster(() => {
  const app = express();
  app.use(require('./answer.js'));
  return app.listen(process.env.PORT, () => console.log('up', process.pid));
}, { count: 8 });
