'use strict';
// The interface for programs.
const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');
const { appPage, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, pageGet, pageSet } =
  require('./support');

const CacheHandler = inPackage('cache-handler.js');
const useCache = inPackage('use-cache-handler.js');
const nextcache = inPackage('index.js');

const KEY = fetchKey('k');
const put = () => new CacheHandler({}).set(KEY, fetchValue(), fetchSet(['a', 'b']));
const get = () => new CacheHandler({}).get(KEY, fetchGet());

beforeEach(() => {
  freshCache();
});

test('revalidateTag takes a tag or a list, with and without durations', async () => {
  for (const tags of ['a', ['x', 'b']]) {
    await put();
    assert.ok(await get());
    await nextcache.revalidateTag(tags);
    assert.equal(await get(), null);
  }
  await put();
  await nextcache.revalidateTag('a', { expire: 3600 });
  assert.ok((await get()).lastModified < performance.timeOrigin + performance.now() - 3600000, 'stale');
  await nextcache.revalidateTag('a', { expire: 0 });
  assert.equal(await get(), null);
});

test('revalidateTag takes every list, and nothing that is none', async () => {
  const h = new CacheHandler({});
  const key = fetchKey('listed');
  await h.set(key, fetchValue(), fetchSet(['a']));
  await nextcache.revalidateTag(new Set(['a']));
  assert.equal(await h.get(key, fetchGet(['a'])), null);
  for (const wrong of [undefined, null, 5, {}]) await assert.rejects(nextcache.revalidateTag(wrong), /^TypeError: nextcache: a tag or a list of tags is expected, not /, String(wrong));
});

test('each call counts: a program has no repeats', async () => {
  for (let i = 0; i < 3; i++) {
    await put();
    assert.ok(await get());
    await nextcache.revalidateTag('a');
    assert.equal(await get(), null);
  }
});

test('revalidatePath invalidates the page and the fetches made for it', async () => {
  const serverDistDir = fakeBuild();
  const page = '/route-cache/APP_PAGE/0/$/u/x';
  await new CacheHandler({ serverDistDir }).set(page, appPage(['_N_T_/u/h%C3%A9llo']), pageSet());
  await put();
  await nextcache.revalidatePath('/u/héllo/');
  assert.equal(await new CacheHandler({ serverDistDir }).get(page, pageGet()), null);
  assert.equal(await new CacheHandler({}).get(KEY, fetchGet([], ['_N_T_/u/héllo'])), null);
  assert.ok(await get());
});

test('revalidatePath of a path that itself looks encoded', async () => {
  const serverDistDir = fakeBuild();
  const page = '/route-cache/APP_PAGE/0/$/u/100%25';
  await new CacheHandler({ serverDistDir }).set(page, appPage(['_N_T_/u/100%2525']), pageSet());
  await nextcache.revalidatePath('/u/100%2525');
  assert.equal(await new CacheHandler({ serverDistDir }).get(page, pageGet()), null);
});

test('remove and clear', async () => {
  await put();
  await nextcache.remove(`f:${KEY}`);
  assert.equal(await get(), null);
  await put();
  await nextcache.clear();
  assert.equal(await get(), null);
  await put();
  assert.ok(await get(), 'it goes on after a clear');
});

test('close, and the next use opens again', async () => {
  await put();
  nextcache.close();
  assert.ok(await get());
  assert.equal(nextcache.open(), true);
});

test('options in code through the handlers, which return themselves', () => {
  assert.equal(CacheHandler.with({ maxItemsNumber: 3 }), CacheHandler);
  assert.equal(useCache.with({ maxMemorySize: '4MB' }), useCache);
  assert.equal(nextcache.stats().memoryLimitBytes, 4 * 2 ** 20);
});
