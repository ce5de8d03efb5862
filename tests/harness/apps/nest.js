// NestJS with shutdown hooks, without TypeScript's decorators.
require('reflect-metadata');
const { NestFactory } = require('@nestjs/core');
const { Controller, Get, Module, Req, Res } = require('@nestjs/common');
const answer = require('./answer.js');

class Everything {
  get(request, response) { answer(request, response); }
  onModuleDestroy() { console.log('onModuleDestroy'); }
  async onApplicationShutdown(signal) { console.log('onApplicationShutdown', signal); }
}
Reflect.decorate([Get('*all')], Everything.prototype, 'get',
  Object.getOwnPropertyDescriptor(Everything.prototype, 'get'));
Req()(Everything.prototype, 'get', 0);
Res()(Everything.prototype, 'get', 1);
Controller()(Everything);
class App {}
Module({ controllers: [Everything] })(App);

(async () => {
  const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  await app.listen(process.env.PORT);
  console.log('up', process.pid);
})();
