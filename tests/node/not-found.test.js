'use strict';
// Pages that the build found to be missing. On a miss Next answers 404 for them
// without rendering; so a dead one must be handed out as over, and not missed.
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { beforeEach, test } = require('node:test');
const { fakeBuild, freshCache, inPackage, runScript } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');

const scoped = (source, pathname) => `/route-cache/PAGES/${crypto.createHash('sha256').update(source).digest('hex')}/$${pathname}`;
const ASK = { kind: 'PAGES', isRoutePPREnabled: false, isFallback: false };
const ASK_14 = { kindHint: 'pages' };
const OVER = { value: null, lastModified: -1 };
const pagesPage = (html) => ({ kind: 'PAGES', html, pageData: { pageProps: {} }, headers: undefined, status: undefined });
const page14 = (html) => ({ kind: 'PAGE', html, postponed: undefined, pageData: { pageProps: {} }, headers: {}, status: undefined });

let server;
const request = () => new CacheHandler({ serverDistDir: server, revalidatedTags: [] });

/** What Next itself does on a miss, and how the sets of each version look. */
const VERSIONS = [
  { name: '14', key: '/p/nfb', ask: ASK_14, notFound: ASK_14, set: { revalidate: 5 }, page: page14 },
  { name: '15 and 16, plain keys', key: '/p/nfb', ask: ASK, notFound: { ...ASK, cacheControl: { revalidate: 5 } }, set: { ...ASK, cacheControl: { revalidate: 5 } }, page: pagesPage },
  { name: '15 and 16, scoped keys', key: scoped('/p/[id]', '/p/nfb'), ask: ASK, notFound: { ...ASK, cacheControl: { revalidate: 5 } }, set: { ...ASK, cacheControl: { revalidate: 5, expire: 31536000 } }, page: pagesPage },
];

function manifest(content) {
  const file = path.join(server, '../prerender-manifest.json');
  fs.writeFileSync(file, JSON.stringify(content));
  const before = (Date.now() - 60000) / 1000;
  fs.utimesSync(file, before, before);
}

beforeEach(() => {
  server = fakeBuild();
  manifest({
    routes: { '/p/nfb': { srcRoute: '/p/[id]', dataRoute: '/x.json' }, '/fr/about': { srcRoute: null }, '/': { srcRoute: null } },
    dynamicRoutes: { '/p/[id]': {} },
    notFoundRoutes: ['/p/nfb', '/fr/about', '/'],
  });
  freshCache();
});

for (const { name, key, ask, notFound, set, page } of VERSIONS) {
  test(`${name}: until something is marked, the build is believed, and Next's own null is kept`, async () => {
    const handler = request();
    assert.equal(await handler.get(key, ask), null);
    await handler.set(key, null, notFound);
    const entry = await request().get(key, ask);
    assert.equal(entry.value, null);
    assert.ok(entry.lastModified > Date.now() - 5000);
  });

  test(`${name}: revalidatePath brings the page to life, in this process and after a restart`, async () => {
    const dir = freshCache();
    await request().set(key, null, notFound);
    await nextcache.revalidatePath('/p/nfb');
    assert.deepEqual(await request().get(key, ask), OVER);
    freshCache({ dir });
    const handler = request();
    assert.deepEqual(await handler.get(key, ask), OVER);
    await handler.set(key, page('now it exists'), set);
    assert.equal((await request().get(key, ask)).value.html, 'now it exists');
  });

  test(`${name}: the same where nothing had been asked for before`, async () => {
    await nextcache.revalidatePath('/p/nfb');
    assert.deepEqual(await request().get(key, ask), OVER);
  });

  test(`${name}: a page that exists now never goes back to not found`, async () => {
    const handler = request();
    await handler.get(key, ask);
    await handler.set(key, page('exists'), set);
    const { pageNamespace } = inPackage('lib/namespace.js');
    await nextcache.remove(`p:${pageNamespace(server)}:${key}`); // evicted
    assert.deepEqual(await request().get(key, ask), OVER);
  });

  test(`${name}: when the cache was emptied, the build is not believed`, async () => {
    await nextcache.clear();
    assert.deepEqual(await request().get(key, ask), OVER);
  });
}

test('a mark in one process reaches the not-found page of another', async () => {
  const dir = freshCache();
  const { key, ask, notFound } = VERSIONS[2];
  await request().set(key, null, notFound);
  const { stderr } = await runScript(`require(process.env.NXC_PACKAGE).revalidatePath('/p/nfb')`, {
    env: { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' },
  });
  assert.equal(stderr, '');
  assert.deepEqual(await request().get(key, ask), OVER);
});

test('only what Next would answer without rendering is said to be over', async () => {
  await nextcache.clear();
  assert.deepEqual(await request().get(scoped('/about', '/fr/about'), ASK), OVER, 'a page with a locale');
  assert.deepEqual(await request().get(scoped('/', '/index'), ASK), OVER, 'the home page');
  assert.equal(await request().get(scoped('/p/[id]', '/p/other'), ASK), null, 'a page that was not built');
  assert.equal(await request().get(scoped('/[...all]', '/p/nfb'), ASK), null, 'another route at the same path');
  const app = scoped('/p/[id]/page', '/p/nfb').replace('PAGES', 'APP_PAGE');
  assert.equal(await request().get(app, { ...ASK, kind: 'APP_PAGE' }), null, 'the other router has none');
  assert.equal(await request().get('/p/nfb', { kindHint: 'app' }), null);
});

test('a build without a manifest, or with a torn one, has no such pages', async () => {
  for (const content of [undefined, '{"notFoundRoutes":']) {
    server = fakeBuild();
    if (content) fs.writeFileSync(path.join(server, '../prerender-manifest.json'), content);
    await nextcache.clear();
    assert.equal(await request().get('/p/nfb', ASK), null);
  }
});
