import assert from 'node:assert/strict';
import * as nextcache from 'nextcache';
import CacheHandler from 'nextcache/cache-handler';
import useCache from 'nextcache/use-cache-handler';
import { createInvalidation } from 'nextcache/invalidation';

assert.equal(nextcache.open({ dir: '.cache-esm' }), true);
assert.equal(typeof CacheHandler, 'function');
assert.equal(typeof useCache.get, 'function');
assert.equal(typeof createInvalidation, 'function');
await nextcache.revalidateTag('t');
nextcache.close();
