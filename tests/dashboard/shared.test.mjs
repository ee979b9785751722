// The dashboard of a directory whose processes have a tier that machines share, on a real
// Redis: it is shown while it is there, as it is.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { look, openBrowser, Project, root, startDashboard, until } from './support.mjs';

process.env.NODE_PATH = join(root, 'build/remote/node_modules'); // of the pods: tests/remote/run --install
const require = createRequire(import.meta.url);
const { get, mark, ready, set, settled } = require('../remote/lib/fetches.js');
const { startPod, stopPods } = require('../remote/lib/peer.js');
const { startServer, stopServers } = require('../remote/lib/server.js');

let browser, project, server, pods, dashboard, page, seen;

before(async () => {
  browser = await openBrowser();
  project = new Project();
  server = await startServer();
  dashboard = await startDashboard(project);
  ({ page, seen } = await look(browser, dashboard.url));
});
after(async () => {
  await browser?.close();
  await dashboard?.end();
  await stopPods();
  await stopServers();
  project?.remove();
});

/** The cells of a row of the table, by the text of its first one. */
const row = (name) => page.$$eval('#shared tbody tr', (rows, first) => rows.map((one) => [...one.cells].map((cell) => cell.textContent))
  .find((cells) => cells[0] === first), String(name));

test('without such a tier there is nothing of it', async () => {
  const alone = await startPod({ dir: project.cache });
  await alone.run(({ engine }) => engine().available);
  await until(async () => (await page.textContent('#processes')).includes(String(alone.child.pid)), 'the process');
  assert.equal(await page.isVisible('#shared-part'), false);
});

test('each process has a row, and all together', async () => {
  pods = await Promise.all([1, 2].map(() => startPod({ url: server.url, dir: project.cache })));
  await ready(...pods);
  await set(pods[0], 'one', 'value');
  await settled(pods[0]);
  await get(pods[1], 'nothing');
  const [a, b] = pods.map(({ child }) => child.pid);
  await until(async () => (await row(a))?.[1] === 'ready' && (await row(b))?.[5] === '0.0 %' && / B$/.test((await row(a))?.[7]), 'two rows');
  const all = await row('all');
  assert.equal(all[1], 'ready');
  assert.match(all[2], /^\d/);
  assert.match(all[3], / (µs|ms)$/);
});

test('a server that hangs is seen, and that it is back', async () => {
  server.signal('SIGSTOP');
  await mark(pods[0], ['t']).catch(() => {}); // it is kept, and sent later
  await until(async () => (await row('all'))?.[1] === '0 of 2 ready' && (await row(pods[0].child.pid))?.[8] === '1', 'it is down');
  assert.equal(await page.$$eval('#shared .bad', (list) => list.length), 3);
  server.signal('SIGCONT');
  await until(async () => (await row('all'))?.[1] === 'ready' && (await row('all'))?.[8] === '0', 'it is back');
});

test('who was killed is not shown', async () => {
  await pods[1].stop();
  await until(async () => (await row(pods[1].child.pid)) === undefined, 'one row less');
  await pods[0].stop();
  await until(async () => !(await page.isVisible('#shared-part')), 'nothing of it');
  assert.deepEqual([seen.violations, seen.errors], [[], []]);
});
