// What the load client asks for: the process id and the request's own name, at once, after `ms`, or, at /held, when
// the test releases it.
module.exports = (request, response) => {
  const [, ms] = /[?&]ms=(\d+)/.exec(request.url) ?? [];
  const answer = () => response.end(`${process.pid} ${request.url}`);
  if (request.url === '/held') require('./release.js')().then(answer);
  else if (ms) setTimeout(answer, Number(ms));
  else answer();
};
