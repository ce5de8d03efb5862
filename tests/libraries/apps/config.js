process.env.NODE_CONFIG = '{"name":"default"}';
const config = require('config');
const { listen } = require('./app.js');
listen({ '/get': () => config.get('name') });
