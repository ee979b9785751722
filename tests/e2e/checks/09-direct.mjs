// withDirectHandler around next.config: the same cache, without its path. A run
// with E2E_DIRECT=1 in the environment puts all other questions to it, too.
import assert from 'node:assert/strict';
import { shows, sameRender, stored } from '../lib/feature.mjs';

// By app: the page of a tag, and what the origin has of it.
const PAGES = {
  webpack: { path: '/blog/a', name: 'post/a', tag: 'posts' },
  'use-cache': { path: '/item/a', name: 'item/a', tag: 'item-a' },
};
const BY_PATH = /using custom cache handler CacheHandler/; // a proxy has one of its own, without a name
const WITHOUT = /using (filesystem|file system) cache handler|does not use this cache/;

const direct = {
  id: 'direct', title: 'withDirectHandler', builds: Object.keys(PAGES), ours: true,
  async run(t) {
    const { path, name, tag } = PAGES[t.feature.build];
    const site = t.site();
    const environment = { E2E_DIRECT: '1', NEXT_PRIVATE_DEBUG_CACHE: '1' };
    const [one, two] = [await site.start(environment), await site.start(environment)];
    await t.check('Next.js finds the handler, from 15.5 on without its path', async () => {
      shows(await one.get(path), '1');
      assert.match(one.log, /nextcache: get /);
      assert.doesNotMatch(one.log, WITHOUT);
      if (t.major === 14) {
        assert.match(one.log, BY_PATH);
        assert.match(one.log, /withDirectHandler has no effect: Next\.js 14\.2\.\d+ takes a handler by its path alone/);
      } else {
        assert.doesNotMatch(one.log, BY_PATH);
        assert.doesNotMatch(one.log, /has no effect/);
      }
    });
    await t.check('what one process revalidates, the next request to another obeys, and it is kept', async () => {
      shows(await two.get(path), '1');
      t.origin.set(name, '2');
      await one.revalidateTag(tag);
      const page = await two.get(path);
      shows(page, '2');
      await stored(t);
      sameRender(page, await one.get(path));
    });
  },
};

export const features = [direct];
