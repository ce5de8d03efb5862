// Each request is a line of each logger; the file of a worker is its own.
const winston = require('winston');
require('winston-daily-rotate-file');
const pino = require('pino');
const { listen } = require('./app.js');
const own = process.env.NODE_APP_INSTANCE;
const rotated = winston.createLogger({
  transports: [new winston.transports.DailyRotateFile({ filename: `winston.${own}`, dirname: __dirname, maxSize: '1k' })],
});
const plain = winston.createLogger({ transports: [new winston.transports.File({ filename: `${__dirname}/winston-file` })] });
const threaded = pino(pino.transport({ target: 'pino/file', options: { destination: `${__dirname}/pino-file` } }));
listen({
  '/log': ({ url }) => {
    const line = `line ${url}`;
    rotated.info(line);
    plain.info(line);
    threaded.info(line);
    return 'logged';
  },
});
