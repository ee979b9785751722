'use strict';
// Build output in the layout of Next 16.4, as next build writes it.
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { beforeEach, test } = require('node:test');
const { appPage, eventually, fakeBuild, freshCache, inPackage, pageGet, pageSet, runScript } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');
const { nextNow } = inPackage('lib/clock.js');

let server;
const request = () => new CacheHandler({ serverDistDir: server, revalidatedTags: [] });

function scopedKey(kind, sourceRoute, pathname) {
  const source = crypto.createHash('sha256').update(sourceRoute).digest('hex');
  return `/route-cache/${kind}/${source}/$${pathname}`;
}

const write = (name, content) => {
  const file = path.join(server, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  return file;
};

/** Writes a prerendered page; returns its key. */
function prerender(kind, sourceRoute, pathname, files, meta = {}) {
  const key = scopedKey(kind, sourceRoute, pathname);
  const directory = kind === 'PAGES' ? 'pages' : 'app';
  for (const [suffix, content] of Object.entries(files)) write(`${directory}${pathname}${suffix}`, content);
  const routeCache = { key, owner: { kind, sourceRoute }, isFallback: false };
  write(`${directory}${pathname}.meta`, JSON.stringify({ routeCache, ...meta }));
  return key;
}

const prerenderBlog = (meta = {}, files = {}) =>
  prerender(
    'APP_PAGE',
    '/blog/[slug]/page',
    '/blog/a',
    {
      '.html': '<p>blog a: héllo 世界</p>',
      '.rsc': '0:rsc',
      '.segments/_tree.segment.rsc': 'tree',
      '.segments/blog/$d$slug/__PAGE__.segment.rsc': 'page',
      ...files,
    },
    {
      status: 200,
      headers: { 'x-next-cache-tags': '_N_T_/layout,_N_T_/blog/a,blog' },
      segmentPaths: ['/_tree', '/blog/$d$slug/__PAGE__'],
      ...meta,
    },
  );

const setMtime = (name, ms) => fs.utimesSync(path.join(server, name), ms / 1000, ms / 1000);
const record = (startedMs) => write('pages/nextcache-build.json', JSON.stringify({ id: 'b', pid: 1, startedMs }));

beforeEach(() => {
  server = fakeBuild();
  freshCache();
});

test('an App page, first from the build output, then from the cache', async () => {
  const key = prerenderBlog();
  setMtime('app/blog/a.html', Date.now() - 60000);
  for (const from of ['the build', 'the cache']) {
    const entry = await request().get(key, pageGet());
    assert.deepStrictEqual(
      entry.value,
      {
        kind: 'APP_PAGE',
        html: '<p>blog a: héllo 世界</p>',
        rscData: Buffer.from('0:rsc'),
        postponed: undefined,
        headers: { 'x-next-cache-tags': '_N_T_/layout,_N_T_/blog/a,blog' },
        status: 200,
        segmentData: new Map([
          ['/_tree', Buffer.from('tree')],
          ['/blog/$d$slug/__PAGE__', Buffer.from('page')],
        ]),
      },
      from,
    );
    assert.equal(entry.cacheControl, undefined, "the lifetime stands in Next's manifest");
    assert.ok(Math.abs(nextNow() - 60000 - entry.lastModified) < 1000, 'it ages from its mtime');
    await eventually(() => nextcache.stats().puts.pages === 1);
  }
  const { memoryHits, misses, puts } = nextcache.stats();
  assert.deepEqual([misses.pages, memoryHits.pages, puts.pages], [1, 1, 1]);
});

test('a route handler and a Pages page', async () => {
  const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const route = prerender('APP_ROUTE', '/api/bin/route', '/api/bin', { '.body': body }, { status: 203, headers: { a: 'b' } });
  const page = prerender('PAGES', '/p/[id]', '/p/1', { '.html': '<p>1</p>', '.json': '{"pageProps":{"id":1}}' });
  for (let i = 0; i < 2; i++) {
    assert.deepStrictEqual((await request().get(route, { kind: 'APP_ROUTE' })).value, {
      kind: 'APP_ROUTE',
      body,
      headers: { a: 'b' },
      status: 203,
    });
    assert.deepStrictEqual((await request().get(page, { kind: 'PAGES' })).value, {
      kind: 'PAGES',
      html: '<p>1</p>',
      pageData: { pageProps: { id: 1 } },
      headers: undefined,
      status: undefined,
    });
  }
});

test('the shell of a partially prerendered page comes without rscData', async () => {
  const key = prerenderBlog({ postponed: 'state' });
  const { value } = await request().get(key, pageGet({ isRoutePPREnabled: true }));
  assert.equal(value.postponed, 'state');
  assert.equal(value.rscData, undefined);
});

test('a fallback shell answers a fallback question, and a PPR page, but not a plain one', async () => {
  const key = scopedKey('APP_PAGE', '/blog/[slug]/page', '/blog/[slug]');
  const meta = (fields) =>
    write('app/blog/[slug].meta', JSON.stringify({ routeCache: { key, isFallback: true }, headers: {}, ...fields }));
  write('app/blog/[slug].html', '<p>shell</p>');
  meta({ postponed: '5:stateresults of one concrete page' });
  for (let i = 0; i < 2; i++) {
    const shell = await request().get(key, pageGet({ isFallback: true, isRoutePPREnabled: true }));
    assert.equal(shell.value.postponed, '5:statenull');
    assert.ok(await request().get(key, pageGet({ isFallback: false, isRoutePPREnabled: true })));
    assert.equal(await request().get(key, pageGet()), null);
  }
  freshCache();
  meta({});
  assert.ok(await request().get(key, pageGet({ isFallback: true })), 'a shell that did not postpone');
  assert.equal(await request().get(key, pageGet({ isFallback: false, isRoutePPREnabled: true })), null);
});

test('files that were written for another key, or are incomplete, are no entry', async () => {
  const key = prerenderBlog();
  const stranger = scopedKey('APP_PAGE', '/other/[slug]/page', '/blog/a');
  assert.equal(await request().get(stranger, pageGet()), null);
  for (const name of ['.html', '.rsc']) {
    const file = path.join(server, `app/blog/a${name}`);
    const content = fs.readFileSync(file);
    fs.rmSync(file);
    freshCache();
    assert.equal(await request().get(key, pageGet()), null, name);
    fs.writeFileSync(file, content);
  }
  write('app/blog/a.meta', '{"routeCache":');
  assert.equal(await request().get(key, pageGet()), null, 'a torn .meta');
  const outside = '/route-cache/APP_PAGE/0/$/../secret';
  write('secret.html', 'secret');
  write('secret.rsc', 'secret');
  write('secret.meta', JSON.stringify({ routeCache: { key: outside, isFallback: false } }));
  assert.equal(await request().get(outside, pageGet()), null);
  assert.equal(await request().get('/no-scope', pageGet()), null);
});

test('a mark after the build kills its pages, one before does not', async () => {
  const key = prerenderBlog();
  setMtime('app/blog/a.html', Date.now() - 60000);
  await request().revalidateTag('unrelated');
  assert.ok(await request().get(key, pageGet()));
  await request().revalidateTag('blog');
  assert.equal(await request().get(key, pageGet()), null);
  freshCache();
  await request().revalidateTag('blog');
  assert.equal(await request().get(key, pageGet()), null, 'also where the cache had not read it before');
  await new Promise((settle) => setTimeout(settle, 20));
  server = fakeBuild(undefined, 'build-2');
  assert.ok(await request().get(prerenderBlog(), pageGet()), 'a later build is valid');
});

test('a copy of the build, with new mtimes, is judged from the start of the build', async () => {
  const key = prerenderBlog();
  const startedMs = Date.now();
  record(startedMs);
  await new Promise((settle) => setTimeout(settle, 20));
  await request().revalidateTag('blog');
  await new Promise((settle) => setTimeout(settle, 20));
  setMtime('app/blog/a.html', Date.now()); // cp -r
  assert.equal(await request().get(key, pageGet()), null);
});

test('an mtime before 2000 is not believed', async () => {
  const untagged = { headers: {} };
  const key = prerenderBlog(untagged);
  setMtime('app/blog/a.html', 1000);
  assert.equal(await request().get(key, pageGet()), null, 'nothing is known about its age');
  server = fakeBuild();
  prerenderBlog(untagged);
  const startedMs = Date.now() - 5000;
  record(startedMs);
  setMtime('app/blog/a.html', 1000);
  const entry = await request().get(key, pageGet());
  assert.ok(Math.abs(entry.lastModified - startedMs) < 1000, 'the start of the build is known');
});

test('a page that was rendered anew never falls back to its build output', async () => {
  const key = prerenderBlog();
  setMtime('app/blog/a.html', Date.now() - 60000);
  const handler = request();
  await handler.get(key, pageGet());
  await handler.set(key, appPage(['blog'], { html: 'new' }), pageSet());
  assert.equal((await request().get(key, pageGet())).value.html, 'new');
  // The new version is lost: evicted, or its put failed.
  const { pageNamespace } = inPackage('lib/namespace.js');
  await nextcache.remove(`p:${pageNamespace(server)}:${key}`);
  assert.equal(await request().get(key, pageGet()), null);
});

test('the pages of a large build share their tags of being superseded', async () => {
  const { seedTag } = inPackage('lib/build-output.js');
  const tagsOf = (dir) => new Set(Array.from({ length: 50000 }, (_, i) => seedTag(`p:x:/page/${i}`, dir)));
  assert.equal(tagsOf(fakeBuild()).size, 50000);
  server = fakeBuild(undefined, 'large');
  fs.writeFileSync(path.join(server, '..', 'prerender-manifest.json'), ' '.repeat(5 * 2 ** 20));
  assert.ok(tagsOf(server).size <= 8192);

  const key = prerenderBlog({ headers: {} });
  const handler = request();
  await handler.get(key, pageGet());
  await handler.set(key, appPage(['new'], { html: 'new' }), pageSet());
  await request().revalidateTag('new');
  assert.equal(await request().get(key, pageGet()), null);
});

test('after the cache has been emptied, build output from before is not believed', async () => {
  const key = prerenderBlog();
  setMtime('app/blog/a.html', Date.now() - 60000);
  assert.ok(await request().get(key, pageGet()));
  await nextcache.clear();
  assert.equal(await request().get(key, pageGet()), null);
});

test('nor where another process, or this one before a restart, had read the build output', async () => {
  server = fakeBuild(undefined, 'read by another process');
  const key = prerenderBlog();
  setMtime('app/blog/a.html', Date.now() - 60000);
  const { stderr } = await runScript(
    `const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
    new CacheHandler({ serverDistDir: process.env.SERVER }).get(${JSON.stringify(key)}, ${JSON.stringify(pageGet())});`,
    { env: { SERVER: server, NEXT_CACHE_DIR: freshCache(), NEXT_CACHE_MAX_DISK_SIZE: '16MB' } },
  );
  assert.equal(stderr, '');
  const handler = request();
  assert.match((await handler.get(key, pageGet())).value.html, /blog a/);
  assert.equal(nextcache.stats().diskHits.pages, 1);
  await handler.set(key, appPage(['new-tag'], { html: 'new' }), pageSet());
  await request().revalidateTag('new-tag');
  assert.equal(await request().get(key, pageGet()), null);
});

test('but a fallback shell without data is, as long as its path is not marked', async () => {
  const key = scopedKey('APP_PAGE', '/blog/[slug]/page', '/blog/[slug]');
  const shell = (tags) => {
    write('app/blog/[slug].html', '<p>shell</p>');
    const headers = { 'x-next-cache-tags': tags };
    write('app/blog/[slug].meta', JSON.stringify({ routeCache: { key, isFallback: true }, headers, postponed: '1:xnull' }));
    setMtime('app/blog/[slug].html', Date.now() - 60000);
  };
  const ask = () => request().get(key, pageGet({ isFallback: true, isRoutePPREnabled: true }));
  shell('_N_T_/layout,_N_T_/blog/[slug]/page');
  await nextcache.clear();
  assert.ok(await ask());
  await request().revalidateTag('_N_T_/blog/[slug]/page');
  assert.equal(await ask(), null);
  shell('_N_T_/layout,prices');
  await nextcache.clear();
  assert.equal(await ask(), null);
});

// ---- the start of a build ------------------------------------------------------------

const worker = `
  const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
  new CacheHandler({ serverDistDir: process.env.SERVER });
`;
const readRecord = () => JSON.parse(fs.readFileSync(path.join(server, 'pages/nextcache-build.json'), 'utf8'));
const building = () => ({ cwd: path.dirname(server), env: { NEXT_PHASE: 'phase-production-build', SERVER: server } });

test('build workers record when the build began, and a later build replaces it', async () => {
  const before = Date.now();
  await runScript(worker, building());
  const first = readRecord();
  assert.ok(Math.abs(first.startedMs - before) < 20000, String(first.startedMs - before));
  assert.equal(fs.readdirSync(path.join(server, 'pages')).length, 1, 'no temporary file is left');
  await runScript(worker, building());
  assert.notEqual(readRecord().id, first.id);
});

test('workers of one build agree, however they race', async () => {
  // One "next build" that forks workers, as jest-worker does.
  const main = `
    const { fork } = require('node:child_process');
    const fs = require('node:fs');
    const file = process.env.SERVER + '/worker.js';
    fs.writeFileSync(file, ${JSON.stringify(worker)});
    (async () => {
      const ids = new Set();
      for (let round = 0; round < 2; round++) {
        await Promise.all(Array.from({ length: 4 }, () => new Promise((done) => fork(file, [], { execArgv: [] }).on('exit', done))));
        const record = JSON.parse(fs.readFileSync(process.env.SERVER + '/pages/nextcache-build.json', 'utf8'));
        ids.add(record.id);
        if (Math.abs(record.startedMs - (Date.now() - process.uptime() * 1000)) > 20000) throw new Error('not its start');
      }
      console.log(ids.size);
    })();
  `;
  const { stdout, stderr } = await runScript(main, building());
  assert.equal(stdout.trim(), '1', stderr);
});

test('outside of a build nothing is recorded', async () => {
  request();
  assert.equal(fs.existsSync(path.join(server, 'pages/nextcache-build.json')), false);
});
