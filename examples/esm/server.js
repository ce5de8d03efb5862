// An ES module that awaits before it listens.
import { readFile } from 'node:fs/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

// Until the app listens, the worker is not ready and gets no requests. pidone waits for listen().
const settings = JSON.parse(await readFile(new URL('settings.json', import.meta.url), 'utf8'));

const app = new Hono();
app.get('/', (context) => context.json({ hello: settings.greet, pid: process.pid }));

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) });
