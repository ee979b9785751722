'use strict';
// The native interface itself: what JavaScript holds of entries, and bounds.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const { PACKAGE, eventually, freshCache, inPackage } = require('./support');

const { decode } = inPackage('lib/codec.js');
const { addon } = inPackage('lib/addon.js');
const { theEngine } = inPackage('lib/engine.js');
const nextcache = inPackage('index.js');

require('node:v8').setFlagsFromString('--expose-gc');
const gc = require('node:vm').runInNewContext('gc');

const MB = 2 ** 20;
const put = (key, value) => theEngine().put(key, 0, [], {}, value);
const get = async (key) => {
  const found = await theEngine().get(key, 0);
  return found.parts && decode(found.parts);
};

/** A second cache of this process, in memory only, without the engine. */
function openNative() {
  const native = addon.open({ dir: undefined, diskBytes: 0, memoryBytes: MB, memoryItems: 0 }, () => {});
  native.numbers.set([0, 0, Infinity, Infinity], 4); // birth, created, revalidate, expire
  return native;
}

test('the addon needs no library beside libc', { skip: process.platform !== 'linux' }, () => {
  const file = path.join(PACKAGE, 'nextcache.node');
  const needed = execFileSync('objdump', ['-p', file], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('NEEDED'))
    .map((line) => line.trim().split(/\s+/)[1]);
  for (const library of needed) assert.match(library, /^(libc|libm|libpthread|libdl|librt|ld-linux[^.]*)\./);
  const exported = execFileSync('nm', ['-D', '--defined-only', file], { encoding: 'utf8' }).trim().split('\n');
  for (const line of exported) assert.match(line, / (napi_register_module_v1|node_api_module_get_api_version_v1)$/);
});

test('large Buffers and long text are shared with the entry, and released', async () => {
  freshCache();
  const value = { bytes: Buffer.alloc(200000, 1), text: 'x'.repeat(100000), small: Buffer.alloc(1000), short: 'y'.repeat(600) };
  await put('k', value);
  const before = nextcache.stats().externalBytes;
  let held = await get('k');
  assert.deepStrictEqual(held, value);
  const pinned = nextcache.stats().externalBytes - before;
  assert.ok(pinned === 300000 || pinned === 200000, `${pinned} bytes: the text is external where Node can`);
  held = undefined;
  await eventually(() => {
    gc();
    return nextcache.stats().externalBytes === before;
  });
});

test('an entry may be held several times, and outlives its removal', async () => {
  freshCache();
  await put('k', { bytes: Buffer.alloc(100000, 7), text: 'z'.repeat(50000) });
  const held = [await get('k'), await get('k'), await get('k')];
  await theEngine().remove('k');
  assert.equal(await get('k'), null);
  for (let i = 0; i < 200; i++) await put(`other${i}`, { bytes: Buffer.alloc(100000, 1) });
  gc();
  for (const value of held) {
    assert.ok(value.bytes.equals(Buffer.alloc(100000, 7)));
    assert.equal(value.text, 'z'.repeat(50000));
  }
});

test('what the memory tier has is shared as often as one likes', async () => {
  freshCache({ maxMemorySize: '8MB' });
  await put('k', { bytes: Buffer.alloc(500000, 9) });
  const before = nextcache.stats().externalBytes;
  const held = [];
  for (let i = 0; i < 20; i++) held.push(await get('k'));
  assert.equal(nextcache.stats().externalBytes - before, 20 * 500000);
  for (const value of held) assert.equal(value.bytes.length, 500000);
});

test('when only JavaScript holds as much as the memory budget, gets copy', async () => {
  freshCache({ maxMemorySize: '8MB' });
  const held = [];
  for (let i = 0; i < 60; i++) {
    await put('k', { bytes: Buffer.alloc(500000, i) });
    held.push(await get('k'));
  }
  const { externalBytes } = nextcache.stats();
  assert.ok(externalBytes > 7 * MB && externalBytes <= 9 * MB, String(externalBytes));
  for (const [i, value] of held.entries()) assert.ok(value.bytes.equals(Buffer.alloc(500000, i)));
});

test('values of a later codec are a miss', async () => {
  freshCache();
  const native = openNative();
  assert.ok(native.put('k', 0, [], 'z', ['text'], () => {}) >= 0, 'an unknown type is stored as text …');
  assert.equal(native.get('k', 0, undefined, () => {}), null);
  assert.equal(native.numbers[0], 2, '… and is a miss');
  native.close();
});

/** What a method answers, now or through its callback. */
const answer = (call) =>
  new Promise((resolve) => {
    const now = call(resolve);
    if (now !== undefined) resolve(now);
  });

test('wrong arguments are answered, not obeyed', async () => {
  const native = openNative();
  assert.ok(native.put() < 0);
  assert.ok((await answer((done) => native.put('k', 0, [], 'lb', ['x', 'not bytes'], done))) < 0);
  assert.ok((await answer((done) => native.put('k', 0, 'tags', 'l', ['x'], done))) < 0);
  assert.equal(native.get('k'), null);
  assert.equal(native.get(5, 0, [], () => {}), null);
  assert.ok(native.mark('t', 0, () => {}) < 0);
  assert.ok(native.setMemory(-1, 0) < 0);
  native.close();
  assert.equal(native.get('k', 0, [], () => {}), null);
  assert.ok(native.put('k', 0, [], 'l', ['x'], () => {}) < 0);
  assert.equal(native.stats(), null);
  assert.equal(native.birth(), 0);
  native.close();
  assert.throws(() => addon.open(), /open\(options/);
});

test('items are bounded', async () => {
  freshCache({ maxItemsNumber: 10 });
  for (let i = 0; i < 100; i++) await put(`k${i}`, i);
  assert.ok(nextcache.stats().memoryItems <= 10);
  assert.equal(await get('k99'), 99);
  assert.equal(await get('k0'), 0, 'from disk');
});

test('a value that is too large for every tier removes the old one', async () => {
  freshCache({ maxMemorySize: '1MB', maxDiskSize: 0 });
  await put('k', 'old');
  assert.ok((await put('k', Buffer.alloc(3 * MB))) < 0);
  assert.equal(await get('k'), null);
});

test('many calls at once keep their order by key', async () => {
  freshCache();
  const results = [];
  for (let i = 0; i < 200; i++) results.push(put(`k${i % 4}`, { i, bytes: Buffer.alloc(2000) }));
  await Promise.all(results);
  for (let k = 0; k < 4; k++) assert.equal((await get(`k${k}`)).i, 196 + k);
});

test('a directory with odd characters in its name', async () => {
  const dir = path.join(freshCache(), 'héllo 世界');
  freshCache({ dir });
  await put('k', 1);
  assert.equal(await get('k'), 1);
  assert.ok(fs.existsSync(path.join(dir, 'v1', 'index')));
});

test('stats have the shape that the types promise', () => {
  freshCache();
  const stats = nextcache.stats();
  assert.deepEqual(Object.keys(stats.memoryHits), ['other', 'pages', 'routes', 'fetches', 'useCache', 'images']);
  const declared = fs
    .readFileSync(path.join(PACKAGE, 'index.d.ts'), 'utf8')
    .match(/interface Stats \{([^]*?)\n\}/)[1]
    .match(/^ {2}(\w+):/gm)
    .map((line) => line.trim().slice(0, -1));
  assert.deepEqual(Object.keys(stats).sort(), declared.sort());
  assert.equal(stats.disk, true);
  assert.equal(stats.remote, null);
});
