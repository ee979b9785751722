'use strict';
// A put and a get through the handler that Next would construct.
const assert = require('node:assert/strict');
process.env.NEXT_CACHE_DIR = '.cache';
const CacheHandler = require('nextcache/cache-handler');
const nextcache = require('nextcache');

const value = { kind: 'FETCH', data: { headers: {}, body: 'text', status: 200, url: 'https://shop.example/' }, revalidate: 60 };

(async () => {
  const handler = new CacheHandler({ revalidatedTags: [] });
  await handler.set('key', value, { fetchCache: true, tags: ['t'] });
  const hit = await handler.get('key', { kind: 'FETCH', revalidate: 60 });
  assert.equal(hit.value.data.body, 'text');
  assert.equal(nextcache.open(), true);
  assert.equal(nextcache.stats().disk, true);
  nextcache.close();
})();
