const throng = require('throng');
const { listen } = require('./app.js');
throng({ master: () => console.log('primary'), worker: () => listen(), count: 8 });
