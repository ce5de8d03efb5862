// https on PORT and http2 with TLS on PORT + 1. The key and the certificate are beside it.
const fs = require('fs');
const answer = require('./answer.js');
const keys = { key: fs.readFileSync(`${__dirname}/key.pem`), cert: fs.readFileSync(`${__dirname}/cert.pem`) };
const port = Number(process.env.PORT);
require('https').createServer(keys, answer).listen(port, () => {
  require('http2').createSecureServer(keys, answer).listen(port + 1, () => console.log('up', process.pid));
});
