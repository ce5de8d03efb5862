require('./app.js').listen();
