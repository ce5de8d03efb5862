// A browser that does what each line of stdin says, and answers each with a line of JSON. It speaks the DevTools protocol
// over two pipes (https://chromedevtools.github.io/devtools-protocol/).
//
//     node browser.mjs CHROMIUM PROFILE MILLISECONDS
//
//     open URL           a new tab, number 0, 1, …, in front of the others
//     select N           what follows is about this tab
//     front              the tab in front of the others
//     until EXPRESSION   waits until it is true in the page
//     eval EXPRESSION    its value
//     view WIDTH HEIGHT light|dark
//     shot FILE          a picture of the whole page
//     roles              what a screen reader gets: how many elements of which role and name
//     asked              how often the tab has requested the status
//     asks N             waits until it has done so N more times
//     seen               the tab's requests, and its errors
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const [chromium, profile, patience] = process.argv.slice(2);
const browser = spawn(chromium, [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--log-level=3', '--disable-dev-shm-usage', '--no-first-run',
  // Nothing but the page itself uses the network.
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions',
  `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank',
], { stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe'] });
const [, , , commands, events] = browser.stdio;
// The browser is ended with this process, which the test ends.
browser.on('exit', () => process.exit());

const waiting = new Map();
const tabs = [];
let last = 0;
let rest = '';
function call(method, params = {}, sessionId) {
  last += 1;
  commands.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  return new Promise((resolve, reject) => waiting.set(last, { resolve, reject, method }));
}

events.setEncoding('utf8');
events.on('data', (text) => {
  const messages = (rest + text).split('\0');
  rest = messages.pop();
  for (const { id, result, error, method, params, sessionId } of messages.map((message) => JSON.parse(message))) {
    if (id) {
      const { resolve, reject, method } = waiting.get(id);
      waiting.delete(id);
      if (error) reject(new Error(`${method}: ${error.message}`));
      else resolve(result);
      continue;
    }
    const tab = tabs.find((one) => one.sessionId === sessionId);
    if (method === 'Network.requestWillBeSent') tab?.requests.push(params.request.url);
    if (method === 'Runtime.exceptionThrown') tab?.errors.push(params.exceptionDetails.exception?.description);
    // That pidone cannot be reached for a while is no error of the page.
    if (method === 'Log.entryAdded' && !params.entry.text.includes('net::ERR_CONNECTION_')) tab?.errors.push(params.entry.text);
    if (method === 'Runtime.consoleAPICalled') tab?.errors.push(JSON.stringify(params.args));
  }
});

let tab;
const inTab = (method, params) => call(method, params, tab.sessionId);
async function evaluate(expression) {
  const { result, exceptionDetails } = await inTab('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description);
  return result.value;
}

const asked = () => tab.requests.filter((url) => url.endsWith('/status')).length;
async function until(isSo, what) {
  const end = Date.now() + Number(patience);
  while (!await isSo()) {
    if (Date.now() > end) throw new Error(`never: ${what}, but ${await evaluate('document.body.innerText')}`);
    await sleep(20);
  }
}

const verbs = {
  async open(url) {
    const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
    tab = { targetId, sessionId, requests: [], errors: [] };
    tabs.push(tab);
    for (const domain of ['Network', 'Runtime', 'Log', 'Page', 'Accessibility']) await inTab(`${domain}.enable`);
    await inTab('Page.navigate', { url });
  },
  select(number) {
    tab = tabs[number];
  },
  front: () => call('Target.activateTarget', { targetId: tab.targetId }),
  until: (expression) => until(() => evaluate(expression), expression),
  asked,
  async asks(count) {
    const wanted = asked() + Number(count);
    await until(() => asked() >= wanted, `${wanted} requests`);
  },
  eval: evaluate,
  async view(words) {
    const [width, height, scheme] = words.split(' ');
    const size = { width: Number(width), height: Number(height), deviceScaleFactor: 1, mobile: false };
    await inTab('Emulation.setDeviceMetricsOverride', size);
    await inTab('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  },
  async shot(file) {
    const format = file.endsWith('.webp') ? 'webp' : 'png';
    const { data } = await inTab('Page.captureScreenshot', { format, captureBeyondViewport: true });
    writeFileSync(file, data, 'base64');
  },
  async roles() {
    const { nodes } = await inTab('Accessibility.getFullAXTree');
    const counts = {};
    for (const { ignored, role, name } of nodes) {
      const key = `${role.value} ${name?.value}`.trim();
      if (!ignored) counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  },
  seen: () => ({ requests: tab.requests, errors: tab.errors }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [, verb, words] = /^(\S+) ?(.*)$/.exec(line);
  try {
    console.log(JSON.stringify((await verbs[verb](words)) ?? null));
  } catch (error) {
    console.log(`failed: ${error.message}`);
  }
}
browser.kill();
