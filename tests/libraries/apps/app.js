// What the libraries' apps have in common: a route answers with the worker's process id and what the library says.
const http = require('node:http');
const answer = require('./answer.js');

const app = (routes) => async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const route = routes[pathname];
  if (!route) return answer(request, response);
  const said = await Promise.race([route(request), silence()]).catch((error) => `error: ${error.message}`);
  response.end(`${process.pid} ${said}`);
};
// For libraries that wait for a primary for ever.
const silence = () => new Promise((resolve) => setTimeout(resolve, 1000, 'no answer').unref());

exports.app = app;
exports.listen = (routes = {}) => {
  const server = http.createServer(app(routes));
  return server.listen(process.env.PORT, () => console.log('up', process.pid));
};
