// What the load client asks for: the process id and the request's own name, at once or after `ms`.
module.exports = (request, response) => {
  const [, ms] = /[?&]ms=(\d+)/.exec(request.url) ?? [];
  const answer = () => response.end(`${process.pid} ${request.url}`);
  if (ms) setTimeout(answer, Number(ms));
  else answer();
};
