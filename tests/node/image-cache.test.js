'use strict';
// Optimised images: Next 16.2 and later with images.customCacheHandler.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { appPage, eventually, freshCache, fakeBuild, inPackage, pageGet, pageSet, runScript } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');
const { imagesConfig } = inPackage('lib/config.js');

const MB = 2 ** 20;
const KEY = 'zFh2jbQ0v3c8mYQpX1rD5tG7hJ9kL0nB2vC4xZ6_UY';
// As next-server makes it: one instance for the process, without fs.
const images = () =>
  new CacheHandler({ dev: false, flushToDisk: true, serverDistDir: fakeBuild(), maxMemoryCacheSize: 50 * MB, revalidatedTags: [], _requestHeaders: {} });
const ASK = { kind: 'IMAGE', isFallback: false };
const SET = { kind: 'IMAGE', cacheControl: { revalidate: 14400, expire: undefined } };
const image = (bytes) => ({ kind: 'IMAGE', buffer: bytes, etag: 'W/"e"', extension: 'webp', upstreamEtag: 'u', revalidate: 14400 });

test('an image comes back whole, with the wall time at which it was set', async () => {
  freshCache();
  const value = image(Buffer.from(Array.from({ length: 300000 }, (_, i) => i % 256)));
  assert.equal(await images().get(KEY, ASK), null);
  const before = Date.now();
  await images().set(KEY, value, SET);
  const entry = await images().get(KEY, ASK);
  assert.deepStrictEqual(entry.value, value);
  assert.ok(Buffer.isBuffer(entry.value.buffer));
  assert.ok(entry.lastModified >= before && entry.lastModified <= Date.now(), 'Next compares it with Date.now()');
});

test('images have a cache of their own, a quarter of the other', async () => {
  const dir = freshCache({ maxDiskSize: '64MB', maxMemorySize: '8MB' });
  assert.equal(fs.existsSync(path.join(dir, 'images')), false, 'not before one is asked for');
  await images().set('/page', appPage(), pageSet());
  for (let i = 0; i < 30; i++) await images().set(`${KEY}${i}`, image(Buffer.alloc(MB, i)), SET);
  assert.ok(await images().get('/page', pageGet()), 'they push no page out');
  assert.equal(nextcache.stats().memoryEvictions, 0);
  assert.ok(fs.existsSync(path.join(dir, 'images', 'v1', 'index')));
  const { blocks } = fs.readdirSync(path.join(dir, 'images', 'v1')).map((name) => fs.statSync(path.join(dir, 'images', 'v1', name))).reduce((a, b) => ({ blocks: a.blocks + b.blocks }));
  assert.ok(blocks * 512 < 18 * MB, `${blocks * 512} bytes`);
  assert.equal(await images().get(`${KEY}0`, ASK), null, 'the oldest made room');
  assert.ok(await images().get(`${KEY}29`, ASK));
});

test('bounds', () => {
  const of = (diskBytes, memoryBytes) => imagesConfig({ dir: '/d', diskBytes, memoryBytes });
  assert.deepEqual(of(1024 * MB, 50 * MB), { dir: '/d/images', diskBytes: 256 * MB, memoryBytes: 12.5 * MB });
  assert.equal(of(8 * MB, 0).diskBytes, 8 * MB, 'the smallest that there is');
  assert.equal(of(0, 8 * MB).diskBytes, 0, 'no disk tier, none for images either');
});

test('an image survives a restart, and an invalidation of everything else', async () => {
  const dir = freshCache();
  const script = `
    const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
    const value = { kind: 'IMAGE', buffer: Buffer.from('abc'), etag: 'e', extension: 'png', upstreamEtag: 'u', revalidate: 60 };
    new CacheHandler({}).set('${KEY}', value, ${JSON.stringify(SET)});`;
  const { stderr } = await runScript(script, { env: { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' } });
  assert.equal(stderr, '');
  await images().revalidateTag(['_N_T_/layout']);
  assert.equal((await images().get(KEY, ASK)).value.buffer.toString(), 'abc');
});

test('counters, clear and close reach the images', async () => {
  const dir = freshCache();
  await images().set(KEY, image(Buffer.from('a')), SET);
  await images().get(KEY, ASK);
  assert.deepEqual([nextcache.stats().puts.images, nextcache.stats().memoryHits.images], [1, 1]);
  await nextcache.clear();
  assert.equal(await images().get(KEY, ASK), null);
  await images().set(KEY, image(Buffer.from('b')), SET);
  freshCache({ dir });
  assert.ok(await images().get(KEY, ASK), 'opened anew');
});

test('clear reaches images that only other processes have open', async () => {
  const dir = freshCache();
  await images().set(KEY, image(Buffer.from('a')), SET);
  const { stderr } = await runScript(`require(process.env.NXC_PACKAGE).clear()`, {
    env: { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' },
  });
  assert.equal(stderr, '');
  await eventually(async () => (await images().get(KEY, ASK)) === null);
});

test('with cacheMaxMemorySize 0, and without a directory, images are still cached where they can be', async () => {
  freshCache({ maxMemorySize: 0 });
  await images().set(KEY, image(Buffer.from('disk')), SET);
  assert.equal((await images().get(KEY, ASK)).value.buffer.toString(), 'disk');
  freshCache({ maxDiskSize: 0 });
  await images().set(KEY, image(Buffer.from('memory')), SET);
  assert.equal((await images().get(KEY, ASK)).value.buffer.toString(), 'memory');
});
