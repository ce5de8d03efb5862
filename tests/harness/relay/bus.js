// Workers that use process.send() as a bus, as with pm2-intercom.
const got = {};
process.on('message', ({ from, number }) => (got[from] ??= []).push(number));
require('http')
  .createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const [count, size] = [Number(searchParams.get('count')), Number(searchParams.get('size'))];
    const library = searchParams.get('library') ?? undefined;
    if (pathname === '/send') {
      for (let number = 0; number < count; number++) {
        const message = { from: process.pid, number: library ?? number, filling: 'x'.repeat(size), source: library };
        process.send(library ? { type: 3, ...message } : message);
      }
    }
    response.end(`${process.pid} ${JSON.stringify(got)}`);
  })
  .listen(process.env.PORT, () => console.log('up', process.pid));
