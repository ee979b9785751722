// Which fetches with an Authorization header Next.js stores, and what neverStore
// and dropHeaders do about it. docs/security.md tells it.
import assert from 'node:assert/strict';
import { until } from '../lib/feature.mjs';

const ADA = { authorization: 'Bearer of-ada-0815' };
const BOB = { authorization: 'Bearer of-bob-4711' };

/** How often the origin is asked for two requests of the one and two of the other. */
async function asked(t, server, how) {
  const before = t.origin.asked(`private/${how}`);
  for (const who of [ADA, BOB, ADA, BOB]) {
    const page = await server.get(`/authorized?how=${how}`, who);
    assert.equal(page.json.value, '1', page.text);
  }
  return t.origin.asked(`private/${how}`) - before;
}

const authorization = {
  id: 'authorization', title: 'Fetches with an Authorization header', builds: ['webpack'],
  async run(t) {
    const site = t.site();
    const server = await site.start();
    await t.check('without being asked to, Next.js does not store them where the request is known', async () => {
      assert.equal(await asked(t, server, 'plain'), 4);
    });
    await t.check('asked to, it stores them, one entry for each header: nobody gets what was made for another', async () => {
      assert.equal(await asked(t, server, 'forced'), 2);
      assert.equal(await asked(t, server, 'timed'), 2);
    });
    await server.stop();
    await t.check('the header itself is in no file of the cache', () => {
      assert.ok(site.cacheHolds('private/forced'), 'the fetches are');
      assert.ok(!site.cacheHolds('Bearer of-ada') && !site.cacheHolds('Bearer of-bob'));
    });
  },
};

const neverStore = {
  id: 'never-store', title: 'neverStore keeps such fetches out', builds: ['webpack'], ours: true,
  async run(t) {
    const site = t.site();
    await t.check('also where the code asks to store them', async () => {
      const server = await site.start({ NEXT_CACHE_NEVER_STORE: '*/private/*' });
      assert.equal(await asked(t, server, 'forced'), 4);
      assert.equal(await asked(t, server, 'timed'), 4);
      await server.stop();
      assert.ok(!site.cacheHolds('private/forced'));
    });
  },
};

const dropHeaders = {
  id: 'drop-headers', title: 'dropHeaders keeps response headers out', builds: ['webpack'], ours: true,
  async run(t) {
    const site = t.site();
    const told = (answer) => ['x-list', 'x-item', 'content-type'].filter((name) => answer.headers.has(name));
    await t.check('of a route handler of the build, and of one that was asked for the first time', async () => {
      const server = await site.start({ NEXT_CACHE_DROP_HEADERS: 'x-list, x-it*' });
      for (let n = 0; n < 2; n += 1) assert.deepEqual(told(await server.get('/api/cached')), ['content-type'], 'of the build');
      assert.deepEqual(told(await server.get('/api/item/drop')), ['x-item', 'content-type'], 'who made it gets all');
      await until(() => server.get('/api/item/drop'), (answer) => !answer.headers.has('x-item'));
      assert.deepEqual(told(await server.get('/api/item/drop')), ['content-type'], 'from the cache');
      await server.stop();
      assert.ok(site.cacheHolds('api/item/drop') && !site.cacheHolds('header-of-an-item'));
    });
  },
};

export const features = [authorization, neverStore, dropHeaders];
