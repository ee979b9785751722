'use strict';
// revalidatePath and the pages of the Pages router, which have no tags of
// their own: for scoped keys and those of older releases.
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { beforeEach, test } = require('node:test');
const { appPage, fakeBuild, freshCache, inPackage, pageGet, pageSet } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');

const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');
const scoped = (route, pathname) => `/route-cache/PAGES/${sha256(route)}/$${pathname}`;
const plain = (route, pathname) => pathname;
const KEYS = { 'scoped keys': scoped, 'plain keys': plain };

const pagesPage = (fields) => ({ kind: 'PAGES', html: '<p>', pageData: { pageProps: {} }, headers: undefined, status: undefined, ...fields });
const pagesGet = { kind: 'PAGES', isRoutePPREnabled: false, isFallback: false };
const pagesSet = { ...pagesGet, cacheControl: { revalidate: 3600, expire: undefined } };

let serverDistDir;
const request = () => new CacheHandler({ serverDistDir });

/** A build with these dynamic routes, and locales. */
function build({ dynamicRoutes = [], locales } = {}) {
  serverDistDir = fakeBuild();
  const write = (name, content) => fs.writeFileSync(path.join(serverDistDir, '..', name), JSON.stringify(content));
  const routes = Object.fromEntries(dynamicRoutes.map((route) => [route, {}]));
  write('prerender-manifest.json', { version: 4, routes: {}, dynamicRoutes: routes, notFoundRoutes: [] });
  write('routes-manifest.json', locales ? { i18n: { locales, defaultLocale: locales[0] } } : {});
}

/** Stores pages, calls `revalidate`, and gives back the paths of those that are gone. */
async function refreshed(keyOf, pages, revalidate, values = {}) {
  for (const [pathname, route] of Object.entries(pages)) {
    await request().set(keyOf(route, pathname), pathname in values ? values[pathname] : pagesPage(), pagesSet);
    assert.ok(await request().get(keyOf(route, pathname), pagesGet), `${pathname} is stored`);
  }
  await revalidate(request());
  const gone = [];
  for (const [pathname, route] of Object.entries(pages)) {
    if (!(await request().get(keyOf(route, pathname), pagesGet))) gone.push(pathname);
  }
  return gone;
}

beforeEach(() => {
  freshCache();
  build({ dynamicRoutes: ['/p/[id]', '/docs/[...rest]', '/shop/[[...rest]]'] });
});

for (const [name, keyOf] of Object.entries(KEYS)) {
  // What revalidatePath hands to the handler: 14 and 15 as it was written, 16 encoded.
  const rows = [
    ['a path', '_N_T_/gsp', ['/gsp']],
    ['a path with a slash at its end', '_N_T_/gsp/', ['/gsp']],
    ['the root', '_N_T_/', ['/index']],
    ['the root as 16 names it, too', '_N_T_/index', ['/index']],
    ['Unicode, as written', '_N_T_/u/héllo 世界', ['/u/héllo 世界']],
    ['Unicode, encoded', '_N_T_/u/h%C3%A9llo %E4%B8%96%E7%95%8C', ['/u/héllo 世界']],
    ['one page of a dynamic route', '_N_T_/p/1', ['/p/1']],
    ['a dynamic route', '_N_T_/p/[id]/page', ['/p/1', '/p/2']],
    ['a catch-all route', '_N_T_/docs/[...rest]/page', ['/docs/a/b']],
    ['a static route', '_N_T_/gsp/page', ['/gsp']],
    ['the root as a route', '_N_T_/page', ['/index']],
    ['a layout', '_N_T_/p/layout', ['/p/1', '/p/2']],
    ['the root layout', '_N_T_/layout', ['/index', '/gsp', '/u/héllo 世界', '/p/1', '/p/2', '/docs/a/b']],
    ['another path', '_N_T_/gs', []],
    ['a tag that is no path', '/gsp', []],
  ];
  const pages = {
    '/index': '/',
    '/gsp': '/gsp',
    '/u/héllo 世界': '/u/[slug]',
    '/p/1': '/p/[id]',
    '/p/2': '/p/[id]',
    '/docs/a/b': '/docs/[...rest]',
  };
  for (const [what, tag, gone] of rows) {
    test(`${name}: revalidatePath of ${what}`, async () => {
      assert.deepEqual(await refreshed(keyOf, pages, (handler) => handler.revalidateTag([tag])), gone);
    });
  }

  test(`${name}: with and without the locale`, async () => {
    build({ locales: ['en', 'de-AT'] });
    const localized = { '/en/gsp': '/gsp', '/de-AT/gsp': '/gsp', '/en': '/', '/en/other': '/other' };
    const gone = (tag) => refreshed(keyOf, localized, (handler) => handler.revalidateTag([tag]));
    assert.deepEqual(await gone('_N_T_/gsp'), ['/en/gsp', '/de-AT/gsp']);
    assert.deepEqual(await gone('_N_T_/de-AT/gsp'), ['/de-AT/gsp']);
    assert.deepEqual(await gone('_N_T_/gsp/page'), ['/en/gsp', '/de-AT/gsp']);
    assert.deepEqual(await gone('_N_T_/'), ['/en']);
    assert.deepEqual(await gone('_N_T_/en/layout'), ['/en/gsp', '/en', '/en/other']);
  });

  test(`${name}: redirects and missing pages are refreshed, too`, async () => {
    const values = { '/old': { kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/new' } } }, '/nf': null };
    const gone = (tag) => refreshed(keyOf, { '/old': '/old', '/nf': '/nf' }, (handler) => handler.revalidateTag([tag]), values);
    assert.deepEqual(await gone('_N_T_/old'), ['/old']);
    assert.deepEqual(await gone('_N_T_/nf'), ['/nf']);
  });

  test(`${name}: nextcache.revalidatePath does it from outside`, async () => {
    const gone = (...args) => refreshed(keyOf, pages, () => nextcache.revalidatePath(...args));
    assert.deepEqual(await gone('/gsp/'), ['/gsp']);
    assert.deepEqual(await gone('/p/[id]', 'page'), ['/p/1', '/p/2']);
    assert.deepEqual(await gone('/'), ['/index']);
  });

  test(`${name}: stale by a path, with a deadline`, async () => {
    await request().set(keyOf('/gsp', '/gsp'), pagesPage(), pagesSet);
    await request().revalidateTag(['_N_T_/gsp'], { expire: 60 });
    assert.equal((await request().get(keyOf('/gsp', '/gsp'), pagesGet)).cacheControl.revalidate, 1);
  });
}

test('the values of 14', async () => {
  const page = { kind: 'PAGE', html: '<p>', pageData: { pageProps: {} }, postponed: undefined, headers: {}, status: undefined };
  await request().set('/gsp', page, { revalidate: 60 });
  assert.ok(await request().get('/gsp', { kindHint: 'pages' }));
  await request().revalidateTag(['_N_T_/gsp']);
  assert.equal(await request().get('/gsp', { kindHint: 'pages' }), null);
});

test('pages of the App router keep to their own tags', async () => {
  const key = `/route-cache/APP_PAGE/${sha256('/a/page')}/$/a`;
  await request().set(key, appPage(['t']), pageSet());
  for (const tag of ['_N_T_/a', '_N_T_/layout', '_N_T_/a/page']) await request().revalidateTag([tag]);
  assert.ok(await request().get(key, pageGet()));
});

test('prerendered pages of the Pages router are refreshed', async () => {
  const key = scoped('/gsp', '/gsp');
  const base = path.join(serverDistDir, 'pages', 'gsp');
  fs.writeFileSync(`${base}.html`, '<p>built');
  fs.writeFileSync(`${base}.json`, '{"pageProps":{}}');
  fs.writeFileSync(`${base}.meta`, JSON.stringify({ routeCache: { key, isFallback: false } }));
  assert.equal((await request().get(key, pagesGet)).value.html, '<p>built');
  await request().revalidateTag(['_N_T_/gsp']);
  assert.equal(await request().get(key, pagesGet), null);
  await request().set(key, pagesPage(), pagesSet);
  assert.equal((await request().get(key, pagesGet)).value.html, '<p>');
});

test('a path of a thousand levels has few tags', () => {
  const { pageTags } = inPackage('lib/page-tags.js');
  assert.ok(pageTags(`/docs${'/a'.repeat(1000)}`, pagesPage(), serverDistDir).length < 50);
});
