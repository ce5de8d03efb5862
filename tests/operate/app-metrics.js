// Metrics of every kind, with numbers that depend on the worker only. Under Node.js' own primary
// (OWN is set), it serves clusterMetrics() on METRICS_PORT.
const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const client = require(process.env.PROM_CLIENT ?? 'prom-client');

function fill(worker) {
  const counter = (name, labelNames = []) => new client.Counter({ name, labelNames, help: `A "${name}" \\ of\nall` });
  const requests = counter('app_requests_total', ['path', 'code']);
  requests.inc({ path: '/a"b\\c\nd', code: 200 }, 3 + worker);
  requests.inc({ code: 500, path: '/é' }, 0.1 + worker / 3);
  counter('app_hits').inc(2);
  counter('app_never_total', ['path']);
  const gauge = (aggregator, value) =>
    new client.Gauge({ name: `app_${aggregator}_level`, help: aggregator, aggregator }).set(value);
  for (const aggregator of ['sum', 'min', 'max', 'average', 'omit']) gauge(aggregator, 0.1 + 0.2 * worker);
  gauge('first', 0.7);
  for (const [name, value] of [['large', 1.7976931348623157e300], ['small', -1.5e-9], ['none', worker ? NaN : 5]]) {
    new client.Gauge({ name: `app_${name}`, help: name }).set(value);
  }
  const histogram = new client.Histogram({ name: 'app_latency_seconds', help: 'h', labelNames: ['method'] });
  const summary = new client.Summary({ name: 'app_size_bytes', help: 's', labelNames: ['method'] });
  for (let turn = 0; turn < 50; turn++) {
    for (const method of ['GET', 'POST']) {
      const value = ((turn * 37 + worker * 11) % 97) / 31;
      histogram.observe({ method }, value);
      summary.observe({ method }, value);
    }
  }
  const many = new client.Gauge({ name: 'app_many', help: 'm', labelNames: ['number', 'text'] });
  const count = Number(process.env.MANY ?? 0);
  for (let number = 0; number < count; number++) many.set({ number, text: 'x'.repeat(50) }, number);
}

if (cluster.isPrimary && process.env.OWN) {
  const registry = new client.AggregatorRegistry();
  http
    .createServer(async (_, response) => response.end(await registry.clusterMetrics()))
    .listen(process.env.METRICS_PORT, '127.0.0.1');
  for (const worker of [0, 1]) cluster.fork({ NODE_APP_INSTANCE: worker });
} else {
  if (!process.env.NO_REGISTRY) new client.AggregatorRegistry();
  if (process.env.DEFAULTS) client.collectDefaultMetrics();
  fill(Number(process.env.NODE_APP_INSTANCE));
  process.on('message', (message) => {
    if (message.type === 'prom-client:getMetricsReq') console.log('asked', process.env.NODE_APP_INSTANCE);
  });
  process.on('SIGUSR2', () => {
    console.log('stuck');
    while (!fs.existsSync('release'));
  });
  http
    .createServer((_, response) => response.end('hello\n'))
    .listen(process.env.PORT, () => console.log('up', process.pid));
}
