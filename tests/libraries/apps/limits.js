// Limits and sessions: in memory, or in Redis if there is one.
const express = require('express');
const session = require('express-session');
const { rateLimit } = require('express-rate-limit');
const { RateLimiterMemory, RateLimiterRedis } = require('rate-limiter-flexible');
const { RedisStore } = require('rate-limit-redis');
const { RedisStore: SessionStore } = require('connect-redis');
const { createClient } = require('redis');

const start = async () => {
  const url = process.env.REDIS_URL;
  const client = url && (await createClient({ url }).connect());
  const sendCommand = (...words) => client.sendCommand(words);
  const points = { keyPrefix: 'flexible', points: 5, duration: 60 };
  const limiter = client
    ? new RateLimiterRedis({ ...points, storeClient: client, useRedisPackage: true })
    : new RateLimiterMemory(points);
  const app = express();
  const say = (response, what) => response.send(`${process.pid} ${what}`);
  app.get('/express', rateLimit({
    limit: 5,
    windowMs: 60_000,
    handler: (_, response) => say(response, 'refused'),
    store: client && new RedisStore({ sendCommand }),
  }), (_, response) => say(response, 'passed'));
  app.get('/flexible', async (_, response) => {
    const said = await limiter.consume('a').then(() => 'passed', () => 'refused');
    say(response, said);
  });
  app.use(session({
    secret: 'test',
    resave: false,
    saveUninitialized: true,
    store: client && new SessionStore({ client }),
  }));
  app.get('/visits', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    say(response, request.session.visits);
  });
  app.listen(process.env.PORT, () => console.log('up', process.pid));
};
start();
