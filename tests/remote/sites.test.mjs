// Four `next start` of one build, each with a cache directory of its own, as four pods
// have: what one rendered the others serve, what one invalidates none serves, from the
// moment that its place in the log has arrived, or in strict mode at once, and a server
// that goes away is noticed by nobody who visits.
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
const { eventually } = require('../node/support.js');
const { startServer, stopServers } = require('./lib/server.js');

const INVALIDATIONS = process.env.NXC_TEST_LONG ? 5000 : 200; // that are global, in each mode
const ITEMS = 4; // each with a tag of its own, all at the same time
const KILL_EVERY = 10; // invalidations: so a slow machine, too, has some peace between two kills
const KILL_WITHIN_MS = 30;
const PAUSE_MS = 50; // after one that was refused
const PATIENCE_MS = 120_000; // of a machine that is busy, whose servers are all cut off now and then
const GIVEN_UP_MS = 5000; // a visitor does not wait for

const folder = mkdtempSync(join(tmpdir(), 'nextcache-sites-'));
const origin = new Origin();
let server;
let site;
let pods;

/** Four of them, with empty directories. */
function startPods(name, query = '') {
  const variables = (i) => ({
    NEXT_CACHE_DIR: join(folder, `${name}-${i}`), NEXT_CACHE_MAX_DISK_SIZE: '16MB', NEXT_CACHE_VALKEY_URL: server.url + query,
  });
  return Promise.all([0, 1, 2, 3].map((i) => site.start(variables(i))));
}

before(async () => {
  await origin.open(0);
  server = await startServer();
  const entry = VERSIONS.find(({ version }) => version === '16.4.6');
  const environment = { E2E_ORIGIN: origin.url };
  site = await build('webpack', entry.version, installVersion(entry), environment, false);
  site = site.copy('pods'); // the build is also other tests'
  pods = await startPods('pods');
});

after(async () => {
  await site?.remove();
  origin.close();
  await stopServers();
  rmSync(folder, { recursive: true, force: true });
});

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const everywhere = (path) => Promise.all(pods.map((pod) => pod.get(path)));

/** Until all pods answer with `value`. */
function arrives(path, value) {
  const isThere = async (pod) => (await pod.get(path)).value === value;
  return Promise.all(pods.map((pod) => eventually(() => isThere(pod), PATIENCE_MS)));
}

/**
 * Until it is so with one of the pages: what was looked for too early, or while a busy
 * machine had no time for the server, is looked for again with another page.
 */
async function withSomePage(name, isShared) {
  let tries = 0;
  await eventually(async () => {
    tries += 1;
    return isShared(`/blog/${name}-${tries}`, `post/${name}-${tries}`, 100 * tries);
  }, PATIENCE_MS);
}

/** Whether all pods serve what `first` rendered, a while ago. */
async function isServedByAll(first, path, ms) {
  const { made } = await first.get(path);
  await sleep(ms);
  return (await everywhere(path)).every((page) => page.made === made);
}

test('what one renders the others serve', async () => {
  await withSomePage('shared', async (path, name, ms) => (await isServedByAll(pods[0], path, ms)) && origin.asked(name) === 1);
});

test('after an invalidation one render serves all', async () => {
  await withSomePage('again', async (path, name, ms) => {
    await everywhere(path);
    origin.set(name, 'new');
    await pods[0].revalidateTag(path.replace('/blog/', 'post-'));
    await arrives(path, 'new');
    const before = origin.asked(name);
    await pods[1].revalidateTag(path.replace('/blog/', 'post-'));
    await sleep(ms);
    return (await isServedByAll(pods[2], path, ms)) && origin.asked(name) === before + 1;
  });
});

// ---- ten thousand invalidations --------------------------------------------------------

/** Whether it is global; what is in force on one machine only rejects there. */
async function invalidate(pod, tag) {
  const answer = await pod.fetch('/api/machines', { method: 'POST', body: JSON.stringify({ tag }) });
  if (answer.status === 200) return { at: BigInt(answer.json.at) };
  assert.equal(answer.json.code, 'NEXTCACHE_NOT_GLOBAL', answer.text);
  return undefined;
}

/** The newest entry of the log that is of this tag. Whoever asks is cut off like all others. */
async function entryOf(tag) {
  let entry;
  let count = ITEMS;
  await eventually(async () => {
    count = Math.min(2 * count, 1000);
    const text = await server.ask('XREVRANGE', 'nextcache:{t}:log', '+', '-', 'COUNT', String(count)).catch(() => '');
    const entries = [...text.matchAll(/(\d{13}-\d+)\r\n([^]*?)(?=\d{13}-\d+\r\n|$)/g)];
    entry = entries.find(([, , fields]) => fields.includes(`"${tag}"`));
    return entry;
  }, PATIENCE_MS);
  return entry[1];
}

/** Invalidations by all pods in turn, while all connections are cut now and then. */
class Storm {
  global = 0;
  refused = 0;
  kills = 0;
  asked = 0; // times that a pod was asked for an item
  stale = [];
  lost = 0;
  lags = [];

  /**
   * `arrival(tag, at)` gives what waits until a pod must know of an invalidation that returned
   * at a time: the milliseconds from then, undefined when that never comes.
   */
  constructor(pods, arrival) {
    Object.assign(this, { pods, arrival });
  }

  async run() {
    origin.reset();
    await Promise.all(Array.from({ length: ITEMS }, (_, n) => this.#follow(`${n}`)));
    this.renders = Array.from({ length: ITEMS }, (_, n) => origin.asked(`item/${n}`)).reduce((x, y) => x + y);
  }

  async #follow(id) {
    let late; // what is being looked for at one of the pods while the next invalidation is made
    for (let n = 1; this.global < INVALIDATIONS; n += 1) {
      origin.set(`item/${id}`, String(n));
      const invalidated = await invalidate(this.pods[n % this.pods.length], `item-${id}`);
      await late; // Next.js joins a request to work for the same page that is under way
      if (!invalidated) {
        await this.#checkRefused(id, n);
        continue;
      }
      const checks = this.#checks(id, n, invalidated);
      late = checks[(n >> 2) % checks.length];
      await Promise.all(checks.filter((check) => check !== late));
    }
    await late;
  }

  /** One for each pod. */
  #checks(id, n, { at }) {
    this.global += 1;
    if (this.global % KILL_EVERY === 0) setTimeout(() => this.#kill(), Math.random() * KILL_WITHIN_MS);
    const arrival = this.arrival(`item-${id}`, at);
    return this.pods.map(async (pod) => {
      const lag = await arrival(pod);
      if (lag === undefined) this.lost += 1;
      else this.lags.push(lag);
      await this.#check(pod, id, n);
      await this.#check(pod, id, n);
    });
  }

  /** It is in force where it was made, and nobody was told that it is elsewhere. */
  async #checkRefused(id, n) {
    this.refused += 1;
    await this.#check(this.pods[n % this.pods.length], id, n);
    await sleep(PAUSE_MS);
  }

  async #check(pod, id, n) {
    const page = await pod.get(`/api/item/${id}`);
    assert.equal(page.status, 200);
    this.asked += 1;
    if (Number(page.json.value) < n) this.stale.push(`pod ${this.pods.indexOf(pod)}, item ${id}: ${page.json.value} for ${n}`);
  }

  #kill() {
    return server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').then(() => { this.kills += 1; }, () => {});
  }

  report() {
    const { global, refused, kills, asked, renders, stale, lost } = this;
    console.log(`${global} invalidations on four next start, ${kills} times all connections cut: ${stale.length} stale of ${asked} answers, ` +
      `${lost} never arrived; ${renders} renders; ${refused} more were not sent at once`);
    assert.deepEqual({ stale, lost }, { stale: [], lost: 0 });
    assert.ok(global >= INVALIDATIONS);
    assert.ok(kills > 0, 'connections were cut');
    assert.ok(renders < asked, 'the cache has answered, too');
  }
}

test('from the moment that its place in the log has arrived nothing older is served, while connections are cut', async () => {
  const arrival = (tag, at) => {
    const entry = entryOf(tag);
    return async (pod) => {
      const { json } = await pod.get(`/api/machines?id=${await entry}&patience=${PATIENCE_MS}`);
      return json.at === undefined ? undefined : Math.max(0, Number(BigInt(json.at) - at) / 1e6);
    };
  };
  const storm = new Storm(pods, arrival);
  await storm.run();
  const lags = storm.lags.sort((x, y) => x - y);
  const [median, late, largest] = [0.5, 0.999, 1].map((p) => lags[Math.min(lags.length - 1, Math.floor(lags.length * p))]?.toFixed(1));
  console.log(`lag median ${median} ms, p99.9 ${late} ms, largest ${largest} ms`);
  storm.report();
});

test('in strict mode nothing older is served at all, while connections are cut', async (t) => {
  const strict = await startPods('strict', '?strict');
  t.after(() => Promise.all(strict.map((pod) => pod.stop())));
  const storm = new Storm(strict, () => async () => 0);
  await storm.run();
  storm.report();
});

// ---- trouble ---------------------------------------------------------------------------

test('the server hangs, is killed, and comes back empty: no visitor waits, or sees another page', async () => {
  await arrives('/blog/moving', '1');
  const worst = async (what) => {
    const took = [];
    for (let i = 0; i < 100; i += 1) {
      const began = performance.now();
      const answer = await pods[i % pods.length].get(i % 2 ? '/blog/moving' : `/blog/${what}-${i}`);
      assert.equal(answer.status, 200);
      if (i % 2) assert.equal(answer.value, '1');
      took.push(performance.now() - began);
    }
    return Math.max(...took);
  };
  const well = await worst('well');
  server.signal('SIGSTOP');
  // A page that is rendered asks for itself and for its fetch.
  assert.ok((await worst('stopped')) < well + GIVEN_UP_MS);
  server.signal('SIGCONT');
  await server.kill();
  assert.ok((await worst('killed')) < well + GIVEN_UP_MS);
  await server.restart();
  origin.set('post/moving', 'after');
  await pods[2].revalidateTag('post-moving');
  await arrives('/blog/moving', 'after');
});
