'use strict';
// createInvalidation: the helpers, and the list of reasons.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { beforeEach, test } = require('node:test');
const { fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, runScript, temporaryDirectory } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const { createInvalidation } = inPackage('invalidation.js');

const KEY = fetchKey('k');
const put = (tags) => new CacheHandler({}).set(KEY, fetchValue(), fetchSet(tags));
const get = () => new CacheHandler({}).get(KEY, fetchGet());
let dir;

const fileOf = (name = 'invalidations') => path.join(dir, 'v1', name);
const records = (name) =>
  fs.readFileSync(fileOf(name), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));

beforeEach(() => {
  dir = freshCache();
});

test('a kind is a tag and things of it, a list, or a function', async () => {
  const helpers = createInvalidation({
    customer: 'customer',
    lists: ['products', 'product-lists'],
    product: (slug) => (slug ? [`product:${slug}`] : 'products'),
    order: async (id) => `orders:${id}`,
  });
  assert.deepEqual(Object.keys(helpers), [
    'invalidateCustomerCache', 'invalidateListsCache', 'invalidateProductCache', 'invalidateOrderCache']);
  for (const [tag, call] of [
    ['customer', () => helpers.invalidateCustomerCache('why')],
    ['customer:7', () => helpers.invalidateCustomerCache('why', 7)],
    ['customer:0', () => helpers.invalidateCustomerCache('why', 0)],
    ['product-lists', () => helpers.invalidateListsCache('why')],
    ['product:rug', () => helpers.invalidateProductCache('why', 'rug')],
    ['products', () => helpers.invalidateProductCache('why')],
    ['orders:3', () => helpers.invalidateOrderCache('why', 3)],
  ]) {
    await put([tag]);
    await put([tag, 'other']);
    assert.ok(await get(), tag);
    assert.equal(await call(), 'outside any request');
    assert.equal(await get(), null, tag);
    assert.ok(records().at(-1).tags.includes(tag));
  }
  await put(['customer:8']);
  await helpers.invalidateCustomerCache('another', 7);
  assert.ok(await get(), 'that of another customer stays');
});

test('the reason stands in the list, for nobody else to read', async () => {
  const { invalidateCartCache } = createInvalidation({ cart: 'cart' });
  const before = Date.now();
  await invalidateCartCache('an "item" was\nadded', 'c1');
  const [{ time_ms: at, ...record }] = records();
  assert.deepEqual(record, { tags: ['cart:c1'], reason: 'an "item" was\nadded', by: 'cart' });
  assert.ok(at >= before && at <= Date.now());
  assert.equal(fs.statSync(fileOf()).mode & 0o777, 0o600);
});

test('the list is bounded, whatever is given', async () => {
  const { invalidateManyCache } = createInvalidation({ many: Array.from({ length: 1000 }, (_, i) => `tag-${i}`) });
  for (let i = 0; i < 60; i += 1) await invalidateManyCache('ü'.repeat(5000));
  for (const name of ['invalidations', 'invalidations.1']) {
    assert.ok(fs.statSync(fileOf(name)).size <= 65536 + 4096, name);
    for (const { reason, tags } of records(name)) {
      assert.equal(reason.length, 300);
      assert.ok(tags.length > 100 && tags.length < 1000);
    }
  }
  const lines = fs.readFileSync(fileOf(), 'utf8').split('\n');
  assert.ok(lines.every((line) => Buffer.byteLength(line) < 4096));
});

test('several processes write the list at once, and nothing is torn', async () => {
  const script = `
    const { createInvalidation } = require(process.env.NXC_PACKAGE + '/invalidation.js');
    const { invalidateACache } = createInvalidation({ a: 'a' });
    (async () => { for (let i = 0; i < 300; i++) await invalidateACache('x'.repeat(i)); })();`;
  const env = { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' };
  await Promise.all([1, 2, 3].map(() => runScript(script, { env })));
  // Two that rotate in one moment leave few of them; how many is not promised.
  const all = [...records('invalidations.1'), ...records()];
  assert.ok(all.length > 0, `${all.length} records`);
});

test('a list that cannot be written hurts nobody', async () => {
  const { invalidateACache } = createInvalidation({ a: 'a' });
  const outside = path.join(temporaryDirectory(), 'outside');
  fs.writeFileSync(outside, 'as it was');
  fs.symlinkSync(outside, fileOf());
  await put(['a']);
  await invalidateACache('why');
  assert.equal(await get(), null);
  assert.equal(fs.readFileSync(outside, 'utf8'), 'as it was');
  fs.rmSync(fileOf());
  fs.mkdirSync(fileOf());
  await invalidateACache('why');
});

// ---- inside of Next.js ---------------------------------------------------------------

/** A project with a stand-in for next/cache; `calls` is what reached it. */
function project(version, cache) {
  const root = temporaryDirectory();
  fs.writeFileSync(path.join(root, 'package.json'), '{}');
  fs.mkdirSync(path.join(root, 'node_modules/next'), { recursive: true });
  fs.writeFileSync(path.join(root, 'node_modules/next/package.json'), JSON.stringify({ name: 'next', version }));
  fs.writeFileSync(path.join(root, 'node_modules/next/cache.js'), `exports.calls = [];\n${cache}`);
  return root;
}

const NOT_AN_ACTION = 'updateTag can only be called from within a Server Action. To invalidate';
const NO_STORE = 'Invariant: static generation store missing in revalidateTag a';
const LOGS = (name) => `exports.${name} = (...args) => exports.calls.push(['${name}', ...args]);`;
const THROWS = (name, text) => `exports.${name} = () => { throw new Error(${JSON.stringify(text)}); };`;
/** As in work on a request for `page`. */
const WORK = (page) =>
  `require('node:module')._cache[__dirname + '/dist/server/app-render/work-async-storage.external.js'] =
     { exports: { workAsyncStorage: { getStore: () => ({ page: ${JSON.stringify(page)} }) } } };`;

async function invalidateIn(version, cache, env = {}) {
  const root = project(version, cache);
  const { stdout, stderr } = await runScript(
    `const { createInvalidation } = require(process.env.NXC_PACKAGE + '/invalidation.js');
     const { invalidateACache } = createInvalidation({ a: ['a', 'b'] });
     const { calls } = require('next/cache');
     const handler = new (require(process.env.NXC_PACKAGE + '/cache-handler.js'))({});
     const key = 'a'.repeat(64), value = { kind: 'FETCH', data: { headers: {}, body: '', status: 200, url: '' }, revalidate: 60 };
     const isKept = async () => (await handler.get(key, { kind: 'FETCH', revalidate: 60, tags: ['a'], softTags: [] })) !== null;
     handler.set(key, value, { fetchCache: true, tags: ['a'] })
       .then(async () => ({ before: await isKept(), setting: await invalidateACache('because'), kept: await isKept(), calls }))
       .catch((error) => ({ error: error.message }))
       .then((result) => console.log('result', JSON.stringify(result)));`,
    { cwd: root, env: { NEXT_CACHE_DIR: path.join(root, 'cache'), ...env } },
  );
  const line = stdout.split('\n').find((text) => text.startsWith('result'));
  return { ...JSON.parse(line.slice(7)), stdout, stderr };
}

test('each door of Next.js, as it is open', async () => {
  const action = await invalidateIn('16.4.6', LOGS('updateTag') + LOGS('revalidateTag'));
  assert.deepEqual([action.setting, action.calls], ['server action', [['updateTag', 'a'], ['updateTag', 'b']]]);
  const route = await invalidateIn('16.4.6', THROWS('updateTag', NOT_AN_ACTION) + LOGS('revalidateTag'));
  assert.deepEqual([route.setting, route.calls],
    ['route handler', [['revalidateTag', 'a', { expire: 0 }], ['revalidateTag', 'b', { expire: 0 }]]]);
  const job = await invalidateIn('16.4.6', THROWS('updateTag', NOT_AN_ACTION) + THROWS('revalidateTag', NO_STORE));
  assert.deepEqual([job.setting, job.calls], ['outside any request', []]);
  const page = await invalidateIn('16.4.6', LOGS('updateTag') + WORK('/page'));
  assert.equal(page.setting, 'server action');
  const proxy = await invalidateIn('16.4.6', LOGS('updateTag') + LOGS('revalidateTag') + WORK('/'));
  assert.deepEqual([proxy.setting, proxy.calls], ['proxy', []]);
  const older = await invalidateIn('15.5.29', LOGS('revalidateTag'));
  assert.deepEqual([older.setting, older.calls.length], ['request', 2]);
  // Also where Next.js carries nothing out: in a proxy, and in a stream after its route handler has returned.
  for (const { before, setting, kept } of [action, route, job, page, proxy, older]) assert.deepEqual([before, kept], [true, false], setting);
});

test('an error that says something else is the caller’s, and notes no reason', async () => {
  const { error } = await invalidateIn('16.4.6', THROWS('updateTag', 'Route / used updateTag during render'));
  assert.match(error, /during render/);
});

test('the debug log has the reason', async () => {
  const { stdout } = await invalidateIn('15.5.29', LOGS('revalidateTag'), { NEXT_PRIVATE_DEBUG_CACHE: '1' });
  assert.match(stdout, /^nextcache: invalidated \[a, b\] by a \(request\): because$/m);
});

test('with Next’s own cache, what cannot be done is told', async () => {
  const { setting, stderr } = await invalidateIn(
    '16.4.6', THROWS('updateTag', NOT_AN_ACTION) + THROWS('revalidateTag', NO_STORE), { NEXT_CACHE_ENGINE: 'next' });
  assert.equal(setting, 'outside any request');
  assert.match(stderr, /outside of a request nothing of Next's own cache can be invalidated/);
});
