// HTTP/2 without TLS on PORT, with TLS on PORT + 1, and gRPC on PORT + 2. An answer takes `ms`.
const fs = require('fs');
const http2 = require('http2');
const grpc = require('@grpc/grpc-js');
const answer = require('./answer.js');

const port = Number(process.env.PORT);
const keys = { key: fs.readFileSync(`${__dirname}/key.pem`), cert: fs.readFileSync(`${__dirname}/cert.pem`) };
const same = (bytes) => bytes;
const service = {
  ask: {
    path: '/test/ask',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};
const calls = new grpc.Server();
calls.addService(service, {
  ask: ({ request }, done) => setTimeout(done, Number(request), null, Buffer.from(String(process.pid))),
});
http2.createServer(answer).listen(port, () => {
  http2.createSecureServer(keys, answer).listen(port + 1, () => {
    calls.bindAsync(`0.0.0.0:${port + 2}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error) throw error;
      console.log('up', process.pid);
    });
  });
});
