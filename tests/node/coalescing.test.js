'use strict';
// Concurrent gets of one missing key read the disk once: the cache's own disk
// tier, and the build output.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { beforeEach, test } = require('node:test');

// Counts what is read below .next; before anything else takes the functions.
const promises = require('node:fs/promises');
const reads = [];
const { readFile } = promises;
promises.readFile = (file, ...rest) => {
  reads.push(path.basename(String(file)));
  return readFile(file, ...rest);
};

const { eventually, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, pageGet, temporaryDirectory } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const useCache = inPackage('use-cache-handler.js');
const nextcache = inPackage('index.js');
const { nextNow } = inPackage('lib/clock.js');
const KEY = fetchKey('together');
const TIMES = 50;

const together = (ask) => Promise.all(Array.from({ length: TIMES }, ask));
const total = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** Drops what the memory tier holds, so that the disk must be read. */
function forget() {
  nextcache.configure({ maxMemorySize: 0 });
  nextcache.configure({ maxMemorySize: '8MB' });
}

beforeEach(() => {
  freshCache();
  reads.length = 0;
});

for (const [size, bytes] of [['a small', 100], ['a large', 300000]]) {
  test(`${size} fetch: fifty gets, one read of the disk`, async () => {
    const body = 'x'.repeat(bytes);
    await new CacheHandler({}).set(KEY, fetchValue(body), fetchSet());
    forget();
    const before = nextcache.stats();
    const entries = await together(() => new CacheHandler({}).get(KEY, fetchGet()));
    for (const entry of entries) assert.equal(entry.value.data.body, body);
    const { diskHits, memoryHits, bytesRead } = nextcache.stats();
    assert.equal(diskHits.fetches + memoryHits.fetches - before.diskHits.fetches - before.memoryHits.fetches, TIMES);
    const read = bytesRead - before.bytesRead;
    assert.ok(read > bytes && read < 2 * bytes + 20000, `${read} bytes were read for one entry of ${bytes}`);
  });
}

test("a 'use cache' entry: fifty gets, one read of the disk, a stream for each", async () => {
  await useCache.refreshTags();
  const text = 'result'.repeat(20000);
  const entry = { tags: [], stale: 300, revalidate: 900, expire: 3600, timestamp: nextNow() };
  await useCache.set('u', Promise.resolve({ ...entry, value: new Blob([text]).stream() }));
  forget();
  const before = nextcache.stats().bytesRead;
  const entries = await together(() => useCache.get('u', []));
  for (const { value } of entries) assert.equal(await new Response(value).text(), text);
  assert.ok(nextcache.stats().bytesRead - before < 2 * text.length);
});

test('a key that is nowhere: fifty misses, and nothing is read', async () => {
  const before = nextcache.stats();
  for (const entry of await together(() => new CacheHandler({}).get(KEY, fetchGet()))) assert.equal(entry, null);
  const { misses, bytesRead } = nextcache.stats();
  assert.equal(total(misses) - total(before.misses), TIMES);
  assert.equal(bytesRead, before.bytesRead);
});

test('a prerendered page: fifty gets, each of its files is read once, and it is stored once', async () => {
  const serverDistDir = fakeBuild(temporaryDirectory());
  const key = `/route-cache/APP_PAGE/${'0123'.repeat(16)}/$/built`;
  const base = path.join(serverDistDir, 'app', 'built');
  fs.writeFileSync(`${base}.html`, '<p>built');
  fs.writeFileSync(`${base}.rsc`, '0:{}');
  fs.writeFileSync(`${base}.meta`, JSON.stringify({ headers: {}, routeCache: { key, isFallback: false } }));
  const entries = await together(() => new CacheHandler({ serverDistDir }).get(key, pageGet()));
  for (const { value } of entries) assert.equal(value.html, '<p>built');
  assert.deepEqual(reads.filter((name) => name.startsWith('built')).sort(), ['built.html', 'built.meta', 'built.rsc']);
  await eventually(() => nextcache.stats().puts.pages > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(nextcache.stats().puts.pages, 1);
});
