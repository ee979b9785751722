'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { afterEach, test } = require('node:test');
const { appPage, eventually, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, pageGet, pageSet } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const { resolveConfig } = inPackage('lib/config.js');
const nextcache = inPackage('index.js');

const request = () => new CacheHandler({ serverDistDir: fakeBuild(), revalidatedTags: [] });
const KEY = fetchKey('k');

/** Sets a fetch of `url`, and asks for it. */
async function fetched(url) {
  await request().set(KEY, fetchValue(), { ...fetchSet(), fetchUrl: url });
  return request().get(KEY, { ...fetchGet(), fetchUrl: url });
}

const isStored = async (url) => (await fetched(url)) !== null;

afterEach(() => nextcache.configure({ dropHeaders: [], neverStore: [] }));

test('neverStore: a fetch whose URL matches is not stored', async () => {
  freshCache({ neverStore: ['https://api/account/*', '*/private/*', 'unstable_cache * secret', /[?&]token=/g] });
  const rows = [
    ['https://api/account/1?x=1', false],
    ['https://API/account/', false],
    ['https://api/account', true],
    ['https://other/account/1', true],
    ['http://a/b/private/c', false],
    ['http://a/b.private.c', true],
    ['unstable_cache /page secret', false],
    ['unstable_cache /page public', true],
    ['http://a/?token=1', false],
    ['http://b/?token=1', false],
    [undefined, true],
  ];
  for (const [url, stored] of rows) {
    await nextcache.clear();
    assert.equal(await isStored(url), stored, String(url));
  }
});

test('neverStore: what was stored before the setting is not served, and is removed', async () => {
  const dir = freshCache();
  const url = 'http://a/me';
  assert.ok(await isStored(url));
  freshCache({ dir, neverStore: [url] });
  assert.equal(await request().get(KEY, { ...fetchGet(), fetchUrl: url }), null);
  assert.equal(await isStored(url), false);
  freshCache({ dir, neverStore: [] });
  assert.equal(await request().get(KEY, { ...fetchGet(), fetchUrl: url }), null);
});

test('dropHeaders: those headers are not stored, with any kind of value', async () => {
  freshCache({ dropHeaders: ['Set-Cookie', 'x-internal-*', /^server$/i] });
  const headers = { 'content-type': 'a/b', 'set-cookie': ['s=1'], 'x-internal-id': '7', Server: 'x', 'x-next-cache-tags': 't' };
  const kept = { 'content-type': 'a/b', 'x-next-cache-tags': 't' };
  const route = { kind: 'APP_ROUTE', status: 200, body: Buffer.from('b'), headers };
  await request().set('/r', route, pageSet(undefined, { kind: 'APP_ROUTE' }));
  assert.deepStrictEqual((await request().get('/r', { kind: 'APP_ROUTE' })).value, { ...route, headers: kept });
  assert.deepStrictEqual(route.headers, headers, 'the value that Next goes on using is not changed');

  const page = appPage([], { headers });
  await request().set('/p', page, pageSet());
  assert.deepStrictEqual((await request().get('/p', pageGet())).value, { ...page, headers: kept });

  const value = fetchValue();
  value.data.headers = headers;
  await request().set(KEY, value, fetchSet());
  assert.deepStrictEqual((await request().get(KEY, fetchGet())).value, { ...value, data: { ...value.data, headers: kept } });
});

test('dropHeaders: nor those of a page that the build rendered', async () => {
  freshCache({ dropHeaders: ['set-cookie'] });
  const serverDistDir = fakeBuild();
  fs.writeFileSync(path.join(serverDistDir, 'app/r.body'), 'b');
  fs.writeFileSync(path.join(serverDistDir, 'app/r.meta'), JSON.stringify({ status: 200, headers: { 'set-cookie': 's=1', 'x-next-cache-tags': 't' } }));
  for (const from of ['the build', 'the cache']) {
    const { value } = await new CacheHandler({ serverDistDir }).get('/r', { kind: 'APP_ROUTE' });
    assert.deepEqual(value.headers, { 'x-next-cache-tags': 't' }, from);
    await eventually(() => nextcache.stats().puts.routes > 0);
  }
});

test('dropHeaders: what Next itself put there stays, and tags go on working', async () => {
  freshCache({ dropHeaders: ['*'] });
  await request().set('/p', appPage(['t']), pageSet());
  const { value } = await request().get('/p', pageGet());
  assert.deepEqual(Object.keys(value.headers), ['x-next-cache-tags', 'x-nextjs-stale-time']);
  await request().revalidateTag('t');
  assert.equal(await request().get('/p', pageGet()), null);
});

test('values without headers, or without data, are stored as they are', async () => {
  freshCache({ dropHeaders: ['*'] });
  const page = { kind: 'PAGES', html: '', pageData: {}, headers: undefined, status: undefined };
  await request().set('/p', page, pageSet(undefined, { kind: 'PAGES' }));
  assert.deepStrictEqual((await request().get('/p', { kind: 'PAGES' })).value, page);
  await request().set('/n', null, pageSet(undefined, { kind: 'PAGES' }));
  assert.equal((await request().get('/n', { kind: 'PAGES' })).value, null);
});

test('both settings from the environment, and wrong ones', () => {
  const resolve = (env, options) => resolveConfig({ root: '/', env, options });
  const { dropHeaders, neverStore, problems } = resolve({
    NEXT_CACHE_DROP_HEADERS: 'set-cookie, x-a-*  x-b',
    NEXT_CACHE_NEVER_STORE: 'https://a/x,y  */z*',
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(dropHeaders.map((pattern) => ['set-cookie', 'x-a-1', 'x-b', 'x-c'].filter((name) => pattern.test(name))), [['set-cookie'], ['x-a-1'], ['x-b']]);
  assert.ok(neverStore[0].test('https://a/x,y') && !neverStore[0].test('https://a/x'));
  for (const wrong of [7, [7], [''], {}, [null]]) {
    const config = resolve({}, { neverStore: wrong });
    assert.deepEqual(config.neverStore, []);
    assert.match(config.problems[0], /neverStore.*patterns of URLs/s);
  }
});
