// An invalidation in Next.js is obeyed by the very next request here.
import assert from 'node:assert/strict';
import { rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { ask, madeAt } from './lib/http.mjs';
import { check } from './lib/report.mjs';
import { counters, sleep, startPageServer } from './lib/process.mjs';

const ROUNDS = 20;

/** Asks until the answer comes from here: what Next.js said last, which is then repeated. */
async function settle(server, path) {
  for (let tries = 0; tries < 50; tries += 1) {
    const before = await counters(server);
    const answer = await ask(server.port, path);
    if ((await counters(server)).served > before.served) return answer;
  }
  throw new Error(`${path} is never answered here`);
}

const admin = (next, body) => ask(next.port, '/api/admin', { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });

async function obeys(server, path, invalidate) {
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await settle(server, path);
    await sleep(2);
    assert.equal((await invalidate()).status, 200);
    assert.ok(madeAt(await ask(server.port, path)) > madeAt(before), `round ${round}: the old page came again`);
  }
}

export async function run({ folder, next }) {
  const server = await startPageServer(folder, next.port);
  await check('age: of a page that the build has made', async () => {
    const now = Date.now();
    utimesSync(join(folder, '.next/server/app/timed.html'), now / 1000, now / 1000);
    const before = await settle(server, '/timed');
    await sleep(now + 2200 - Date.now());
    const { served } = await counters(server);
    assert.equal((await ask(server.port, '/timed')).headers['x-nextjs-cache'], 'STALE');
    assert.equal((await counters(server)).served, served);
    assert.ok(madeAt(before) < now);
  });
  await check('a tag of a page that a rewrite has put in the place of another', async () => {
    const visit = async () => {
      for (let times = 0; times < 4; times += 1) await ask(server.port, '/behind');
      for (let times = 0; times < 4; times += 1) await ask(server.port, '/shadowed');
      return ask(server.port, '/shadowed');
    };
    const before = await visit();
    await admin(next, { tag: 'product-b' });
    assert.ok(madeAt(await ask(server.port, '/shadowed')) > madeAt(before));
  });
  await check('a tag', () => obeys(server, '/products/a', () => admin(next, { tag: 'product-a' })));
  await check('a tag of several pages', () => obeys(server, '/products/b', () => admin(next, { tag: 'products' })));
  await check('another tag does not matter', async () => {
    await settle(server, '/products/a');
    const { served } = await counters(server);
    await admin(next, { tag: 'product-b' });
    await ask(server.port, '/products/a');
    assert.equal((await counters(server)).served, served + 1);
  });
  await check('a path of the Pages router', () => obeys(server, '/help/returns', () => admin(next, { path: '/help/returns' })));
  await check('res.revalidate, which only replaces the entry', () => obeys(server, '/help/payment', () => ask(next.port, '/api/revalidate?path=/help/payment')));
  await check('age: a page older than its revalidate goes to Next.js', async () => {
    const before = await settle(server, '/timed');
    assert.equal(before.headers['x-nextjs-cache'], 'HIT');
    await sleep(madeAt(before) + 2200 - Date.now());
    assert.equal((await ask(server.port, '/timed')).headers['x-nextjs-cache'], 'STALE');
    assert.ok(madeAt(await settle(server, '/timed')) > madeAt(before));
  });
  await check('a removed cache directory', async () => {
    const before = await settle(server, '/products/a');
    rmSync(join(folder, '.cache'), { recursive: true, force: true });
    await sleep(150);
    const { served } = await counters(server);
    const answer = await ask(server.port, '/products/a');
    assert.equal((await counters(server)).served, served);
    assert.ok(madeAt(answer) > 0 && madeAt(await settle(server, '/products/a')) >= madeAt(before));
  });
  await server.end();
}
