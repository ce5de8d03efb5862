// The same job each second from every library, in each worker, and by the ways of each to run it in one of them.
process.env.NODE_CRON_RUN = String(process.env.NODE_APP_INSTANCE === '0');
const cron = require('node-cron');
const schedule = require('node-schedule');
const { CronJob } = require('cron');
const { listen } = require('./app.js');
const job = (name) => () => console.log('job', name, process.pid);
cron.schedule('* * * * * *', job('node-cron'));
cron.schedule('* * * * * *', job('node-cron-distributed'), { distributed: true, name: 'distributed' });
schedule.scheduleJob('* * * * * *', job('node-schedule'));
CronJob.from({ cronTime: '* * * * * *', onTick: job('cron'), start: true });
if (process.env.NODE_APP_INSTANCE === '0') schedule.scheduleJob('* * * * * *', job('guarded'));
listen();
