// Four `next start` of one build, each with a cache directory of its own, as four pods
// have: what one rendered the others serve, what one revalidates all render anew, and a
// server that goes away is noticed by nobody who visits.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from '../e2e/lib/build.mjs';
import { installVersion } from '../e2e/lib/install.mjs';
import { Origin } from '../e2e/lib/origin.mjs';
import { VERSIONS } from '../e2e/lib/versions.mjs';

const require = createRequire(import.meta.url);
const { startServer, stopServers } = require('./lib/server.js');

const ROUNDS = Number(process.env.NXC_TEST_ROUNDS ?? 50);
const PAGES = 4; // each with a tag of its own, all at the same time
const KILL_EVERY_MS = 150;
const PATIENCE_MS = 120_000; // of a machine that is busy, whose servers are all cut off now and then

const folder = mkdtempSync(join(tmpdir(), 'nextcache-sites-'));
const origin = new Origin();
let server;
let site;
let pods;

before(async () => {
  await origin.open(0);
  server = await startServer();
  const entry = VERSIONS.find(({ version }) => version === '16.4.6');
  const environment = { E2E_ORIGIN: origin.url };
  site = await build('webpack', entry.version, installVersion(entry), environment, false);
  site = site.copy('pods'); // the build is also other tests'
  const variables = (i) => ({ NEXT_CACHE_DIR: join(folder, String(i)), NEXT_CACHE_VALKEY_URL: server.url });
  pods = await Promise.all([0, 1, 2, 3].map((i) => site.start(variables(i))));
});

after(async () => {
  await site?.remove();
  origin.close();
  await stopServers();
  rmSync(folder, { recursive: true, force: true });
});

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const everywhere = (path) => Promise.all(pods.map((pod) => pod.get(path)));

/** Until all pods answer with `value`: how long that took each, from now. */
function arrives(path, value) {
  const began = performance.now();
  return Promise.all(pods.map(async (pod) => {
    for (;;) {
      const page = await pod.get(path);
      const ms = performance.now() - began;
      if (page.value === value) return ms;
      assert.ok(ms < PATIENCE_MS, `${page.value} for ${value}`);
    }
  }));
}

test('what one renders the others serve', async () => {
  origin.reset();
  const [first, ...others] = pods;
  const made = (await first.get('/blog/shared')).made;
  await sleep(100);
  for (const pod of others) assert.equal((await pod.get('/blog/shared')).made, made);
  assert.equal(origin.asked('post/shared'), 1);
});

test('what one revalidates all render anew, and none goes back, while connections are cut', async () => {
  let kills = 0;
  const kill = () => server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').then(() => { kills += 1; }, () => {});
  const killer = setInterval(kill, KILL_EVERY_MS);
  const lags = [];
  const follow = async (slug) => {
    await everywhere(`/blog/${slug}`);
    for (let i = 0; i < ROUNDS; i += 1) {
      origin.set(`post/${slug}`, `version ${i}`);
      await pods[i % pods.length].revalidateTag(`post-${slug}`);
      lags.push(...await arrives(`/blog/${slug}`, `version ${i}`));
      for (const page of await everywhere(`/blog/${slug}`)) assert.equal(page.value, `version ${i}`, 'a pod went back');
    }
  };
  try {
    await Promise.all(Array.from({ length: PAGES }, (_, n) => follow(`moving-${n}`)));
  } finally {
    clearInterval(killer);
  }
  lags.sort((x, y) => x - y);
  const [median, late, largest] = [0.5, 0.999, 1].map((p) => lags[Math.min(lags.length - 1, Math.floor(lags.length * p))].toFixed(0));
  console.log(`${ROUNDS * PAGES} revalidations, ${kills} times all connections cut: a pod shows the new page after ${median} ms (median), ${late} ms (p99.9), ${largest} ms (largest)`);
  assert.ok(kills > 0);
});

test('one render serves all', async () => {
  await everywhere('/blog/moving');
  await sleep(1000);
  origin.set('post/moving', 'last');
  await pods[0].revalidateTag('post-moving');
  const before = origin.asked('post/moving');
  const made = (await pods[0].get('/blog/moving')).made;
  await sleep(200);
  for (const page of await everywhere('/blog/moving')) assert.equal(page.made, made);
  assert.equal(origin.asked('post/moving') - before, 1);
});

test('the server hangs, is killed, and comes back empty: no visitor waits, or sees another page', async () => {
  const page = (await pods[1].get('/blog/moving')).value;
  const worst = async (what) => {
    const took = [];
    for (let i = 0; i < 100; i++) {
      const began = performance.now();
      const answer = await pods[i % pods.length].get(i % 2 ? '/blog/moving' : `/blog/${what}-${i}`);
      assert.equal(answer.status, 200);
      if (i % 2) assert.equal(answer.value, page);
      took.push(performance.now() - began);
    }
    return Math.max(...took);
  };
  const well = await worst('well');
  server.signal('SIGSTOP');
  // A page that is rendered asks for itself and for its fetch.
  assert.ok((await worst('stopped')) < well + 1000);
  server.signal('SIGCONT');
  await server.kill();
  assert.ok((await worst('killed')) < well + 1000);
  await server.restart();
  origin.set('post/moving', 'after');
  await sleep(2000);
  await pods[2].revalidateTag('post-moving');
  await arrives('/blog/moving', 'after');
});
