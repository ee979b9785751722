// Which fetches with an Authorization header Next.js stores, and what neverStore
// and dropHeaders do about it. docs/security.md tells it.
import assert from 'node:assert/strict';

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
      const files = site.cacheFiles();
      assert.ok(files.some((file) => file.includes('private/forced')), 'the fetches are');
      for (const file of files) assert.ok(!file.includes('of-ada') && !file.includes('of-bob'));
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
      for (const file of site.cacheFiles()) assert.ok(!file.includes('private/forced'));
    });
  },
};

export const features = [authorization, neverStore];
