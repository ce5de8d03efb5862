// Logs through log4js: LOG4JS is what it is configured with, and `where` a file for each process.
const log4js = require('log4js');
const more = JSON.parse(process.env.LOG4JS);
const filename = more.where ? `log.${process.pid}` : 'log';
log4js.configure({
  appenders: { file: { type: 'file', filename, layout: { type: 'messagePassThrough' } } },
  categories: { default: { appenders: ['file'], level: 'info' } },
  ...more,
});
const logger = log4js.getLogger();
require('http')
  .createServer((request, response) => {
    logger.info(`${process.pid} %s`, request.url, { cluster: 'of stars' });
    response.end(`${process.pid} ${request.url}`);
  })
  .listen(process.env.PORT, () => console.log('up', process.pid));
