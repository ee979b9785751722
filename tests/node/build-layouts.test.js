'use strict';
// The build output of real apps, as next build of 14, 15 and 16 laid it out
// (tests/conformance/buildout), and as their releases before the keys were
// scoped did: every prerendered page is served, whole, under its key.
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { eventually, freshCache, inPackage, temporaryDirectory } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');
const BUILDS = path.join(__dirname, '../conformance/buildout');

/** <serverDistDir> of a recorded build. */
function unpack(name) {
  const dist = path.join(temporaryDirectory(), '.next');
  fs.mkdirSync(dist);
  // -m: the archive is reproducible, its times are of 1970.
  execFileSync('tar', ['-xmzf', path.join(BUILDS, `${name}.tar.gz`), '-C', dist]);
  return path.join(dist, 'server');
}

const readJson = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const optional = (file, read) => (fs.existsSync(file) ? read(file) : undefined);
/** How many pages have been read from the build and stored. */
function stored() {
  const { puts } = nextcache.stats();
  return puts.pages + puts.routes;
}

const normalize = (route) => (route === '/' ? '/index' : route);

/** Routes of the manifest that have content: [{route, directory, suffix, base}]. */
function prerendered(server) {
  const { routes, notFoundRoutes } = readJson(path.join(server, '../prerender-manifest.json'));
  const pages = Object.keys(routes).filter((route) => !notFoundRoutes.includes(route));
  return pages.map((route) => {
    for (const [directory, suffix] of [['app', '.body'], ['app', '.html'], ['pages', '.html']]) {
      const base = path.join(server, directory, normalize(route));
      if (fs.existsSync(base + suffix)) return { route, directory, suffix, base };
    }
    return assert.fail(`${route} has no file`);
  });
}

const kindOf = ({ directory, suffix }) => (directory === 'pages' ? 'PAGES' : suffix === '.body' ? 'APP_ROUTE' : 'APP_PAGE');

function segmentsOf({ base }, { segmentPaths }) {
  return segmentPaths && new Map(segmentPaths.map((name) => [name, fs.readFileSync(`${base}.segments${name}.segment.rsc`)]));
}

/** What a page of 15 and 16 is made of. */
function value15(page, meta, isPartial) {
  const { base } = page;
  const { headers, status, postponed } = meta;
  switch (kindOf(page)) {
    case 'APP_ROUTE':
      return { kind: 'APP_ROUTE', body: fs.readFileSync(`${base}.body`), headers, status };
    case 'PAGES':
      return { kind: 'PAGES', html: fs.readFileSync(`${base}.html`, 'utf8'), pageData: readJson(`${base}.json`), headers, status };
    default: {
      const html = fs.readFileSync(`${base}.html`, 'utf8');
      const rscData = isPartial && postponed != null ? undefined : fs.readFileSync(`${base}.rsc`);
      return { kind: 'APP_PAGE', html, rscData, postponed, headers, status, segmentData: segmentsOf(page, meta) };
    }
  }
}

function value14(page, meta) {
  const { base } = page;
  const { headers, status, postponed } = meta;
  if (kindOf(page) === 'APP_ROUTE') return { kind: 'ROUTE', body: fs.readFileSync(`${base}.body`), headers, status };
  const pageData = page.directory === 'app' ? fs.readFileSync(`${base}.rsc`, 'utf8') : readJson(`${base}.json`);
  return { kind: 'PAGE', html: fs.readFileSync(`${base}.html`, 'utf8'), pageData, postponed, headers, status };
}

/** Removes what the releases before the scoped keys did not write. */
function unscope(server) {
  for (const page of prerendered(server)) {
    const { routeCache, ...meta } = readJson(`${page.base}.meta`);
    assert.ok(routeCache);
    if (page.directory === 'pages') fs.rmSync(`${page.base}.meta`);
    else fs.writeFileSync(`${page.base}.meta`, JSON.stringify(meta));
  }
}

// [name of the layout, recorded build, whether the routes are partially prerendered, old keys]
const LAYOUTS = [
  ['14', '14', false, true],
  ['15, scoped keys', '15', false, false],
  ['15, plain keys', '15', false, true],
  ['16, scoped keys', '16', false, false],
  ['16, plain keys', '16', false, true],
  ['16 with cacheComponents, scoped keys', '16cc', true, false],
  ['16 with cacheComponents, plain keys', '16cc', true, true],
];

for (const [name, build, isPartial, isPlain] of LAYOUTS) {
  test(`${name}: every prerendered page, from the build and from the cache`, async () => {
    freshCache();
    const server = unpack(build);
    const is14 = build === '14';
    if (isPlain && !is14) unscope(server);
    const request = () => new CacheHandler({ serverDistDir: server, revalidatedTags: [] });
    const pages = prerendered(server);
    assert.ok(pages.length > 10);
    for (const [index, page] of pages.entries()) {
      const meta = optional(`${page.base}.meta`, readJson) ?? {};
      const key = isPlain ? normalize(page.route) : meta.routeCache.key;
      const kind = kindOf(page);
      const ask = is14 ? { kindHint: page.directory } : { kind, isRoutePPREnabled: isPartial, isFallback: false };
      const expected = is14 ? value14(page, meta) : value15(page, meta, isPartial);
      const { mtimeMs } = fs.statSync(page.base + page.suffix);
      for (const from of ['the build', 'the cache']) {
        const entry = await request().get(key, ask);
        assert.deepStrictEqual(entry?.value, expected, `${page.route} from ${from}`);
        assert.ok(Math.abs(entry.lastModified - mtimeMs) < 1000, `${page.route} is as old as its file`);
        await eventually(() => stored() > index);
      }
    }
    const { memoryHits, misses } = nextcache.stats();
    assert.equal(misses.pages + misses.routes, pages.length, 'each was read from the build once');
    assert.equal(memoryHits.pages + memoryHits.routes, pages.length);
  });
}

for (const [name, build, , isPlain] of LAYOUTS.filter(([, , isPartial]) => !isPartial)) {
  test(`${name}: a prerendered page dies by the tags in its .meta`, async () => {
    freshCache();
    const server = unpack(build);
    if (isPlain && build !== '14') unscope(server);
    const request = () => new CacheHandler({ serverDistDir: server, revalidatedTags: [] });
    const base = path.join(server, 'app/isr');
    const key = isPlain ? '/isr' : readJson(`${base}.meta`).routeCache.key;
    const ask = build === '14' ? { kindHint: 'app' } : { kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false };
    assert.ok(await request().get(key, ask));
    await request().revalidateTag(['t-isr']);
    assert.equal(await request().get(key, ask), null);
  });
}

test('16, plain keys: the shell of a route, asked for as a fallback and as a page', async () => {
  const server = unpack('16cc');
  const base = path.join(server, 'app/blog/[slug]');
  const { routeCache, ...meta } = readJson(`${base}.meta`);
  fs.writeFileSync(`${base}.meta`, JSON.stringify(meta));
  const request = () => new CacheHandler({ serverDistDir: server, revalidatedTags: [] });
  for (const isFallback of [true, false, 'from the cache', true]) {
    if (isFallback !== 'from the cache') freshCache();
    const { value } = await request().get('/blog/[slug]', { kind: 'APP_PAGE', isRoutePPREnabled: true, isFallback: isFallback === true });
    assert.equal(value.html, fs.readFileSync(`${base}.html`, 'utf8'));
    assert.equal(value.rscData, undefined, 'the RSC data of a shell is another page’s');
    assert.ok(value.postponed.endsWith('null'), 'so are the results inside');
    assert.deepStrictEqual(value.segmentData, segmentsOf({ base }, meta));
  }
});

test('a page of the Pages router that is still to be filled', async () => {
  for (const isPlain of [false, true]) {
    freshCache();
    const server = unpack('16');
    const base = path.join(server, 'pages/fb/[id]');
    if (isPlain) fs.rmSync(`${base}.meta`);
    const key = isPlain ? '/fb/[id]' : readJson(`${base}.meta`).routeCache.key;
    const ask = (isFallback) => new CacheHandler({ serverDistDir: server }).get(key, { kind: 'PAGES', isRoutePPREnabled: false, isFallback });
    const expected = { kind: 'PAGES', html: fs.readFileSync(`${base}.html`, 'utf8'), pageData: {}, headers: undefined, status: undefined };
    assert.deepStrictEqual((await ask(true)).value, expected);
    assert.equal(await ask(false), null, 'as a page of its own it has no data');
  }
});

test('plain keys: what is incomplete, or leads out of the build output, is no entry', async () => {
  freshCache();
  const server = unpack('16');
  unscope(server);
  fs.writeFileSync(path.join(server, 'secret.html'), 'secret');
  fs.writeFileSync(path.join(server, 'secret.rsc'), 'secret');
  const get = (key, kind) => new CacheHandler({ serverDistDir: server }).get(key, { kind, isRoutePPREnabled: false, isFallback: false });
  assert.equal(await get('/../secret', 'APP_PAGE'), null);
  assert.equal(await get('/gsp', 'APP_PAGE'), null, 'a page of the other router');
  fs.rmSync(path.join(server, 'app/api/bin.meta'));
  assert.equal(await get('/api/bin', 'APP_ROUTE'), null, 'its headers are missing');
  fs.writeFileSync(path.join(server, 'app/forever.meta'), '{"headers":');
  assert.equal(await get('/forever', 'APP_PAGE'), null, 'its tags cannot be read');
  fs.rmSync(path.join(server, 'pages/gsp.json'));
  assert.equal(await get('/gsp', 'PAGES'), null, 'its data is missing');
  fs.rmSync(path.join(server, 'app/isr.rsc'));
  assert.equal(await get('/isr', 'APP_PAGE'), null, 'it cannot answer a navigation');
});
