'use strict';
const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');
const {
  appPage,
  captureWarnings,
  fakeBuild,
  fetchGet,
  fetchKey,
  fetchSet,
  fetchValue,
  freshCache,
  inPackage,
  inRequests,
  pageGet,
  pageSet,
} = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');
const { nextNow } = inPackage('lib/clock.js');
const { theEngine } = inPackage('lib/engine.js');

const KEY = fetchKey('k');
const PAGE = '/route-cache/APP_PAGE/0123/$/page';
let serverDistDir;

/** What Next does for every request: a new instance. */
const request = (context = {}) => new CacheHandler({ serverDistDir, revalidatedTags: [], ...context });

/** Whether Next would call the entry stale (ic:404-406, ic:441-455). */
function isStale(entry, revalidate = entry.cacheControl?.revalidate) {
  return revalidate !== false && nextNow() - entry.lastModified > revalidate * 1000;
}
const isExpired = (entry) => entry.cacheControl.expire !== undefined && nextNow() - entry.lastModified > entry.cacheControl.expire * 1000;

beforeEach(() => {
  serverDistDir = fakeBuild();
  freshCache();
});

// ---- fetches ---------------------------------------------------------------------------

test('a fetch: miss, set, hit', async () => {
  assert.equal(await request().get(KEY, fetchGet()), null);
  await request().set(KEY, fetchValue(), fetchSet());
  const entry = await request().get(KEY, fetchGet());
  assert.deepStrictEqual(entry.value, fetchValue());
  assert.ok(!isStale(entry, 3600));
  const { misses, memoryHits, puts } = nextcache.stats();
  assert.deepEqual([misses.fetches, memoryHits.fetches, puts.fetches], [1, 1, 1]);
});

test('a fetch dies by its own tag, by a tag of the question and by a soft tag', async () => {
  for (const tag of ['stored', 'asked', '_N_T_/soft']) {
    const handler = request();
    await handler.get(KEY, fetchGet());
    await handler.set(KEY, fetchValue(tag), fetchSet(['stored']));
    const ask = () => request().get(KEY, fetchGet(['asked'], ['_N_T_/soft']));
    assert.equal((await ask()).value.data.body, tag);
    await request().revalidateTag([tag]);
    assert.equal(await ask(), null, tag);
  }
});

test('a fetch stale by tag: Next sees it as stale, also where it asks for forever', async () => {
  await request().set(KEY, fetchValue(), fetchSet(['t']));
  await request().revalidateTag(['t'], { expire: 60 });
  for (const revalidate of [1, 3600, 31536000, 4294967294]) {
    const entry = await request().get(KEY, fetchGet(['t'], [], revalidate));
    assert.ok(isStale(entry, revalidate), String(revalidate));
  }
  await request().set(KEY, fetchValue('new'), fetchSet(['t']));
  assert.ok(!isStale(await request().get(KEY, fetchGet(['t'])), 3600));
});

test('a fetch that is old is Next’s to call stale', async () => {
  const { now } = Date;
  Date.now = () => now.call(Date) - 5000;
  await request().set(KEY, fetchValue('x', 2), fetchSet());
  Date.now = now;
  const entry = await request().get(KEY, fetchGet([], [], 2));
  assert.ok(isStale(entry, 2));
  assert.ok(!isStale(entry, 3600));
});

test('tags of the request’s own header make a fetch a miss', async () => {
  await request().set(KEY, fetchValue(), fetchSet(['t']));
  assert.equal(await request({ revalidatedTags: ['t'] }).get(KEY, fetchGet(['t'])), null);
  assert.ok(await request().get(KEY, fetchGet(['t'])));
});

test('fetches survive a new build, pages do not, also with the same BUILD_ID', async () => {
  await request().set(KEY, fetchValue(), fetchSet());
  await request().set(PAGE, appPage(), pageSet());
  assert.ok(await request().get(PAGE, pageGet()));
  const fs = require('node:fs');
  const next = fakeBuild();
  assert.ok(await request({ serverDistDir: next }).get(PAGE, pageGet()), 'the same build in another place');
  const other = fakeBuild();
  fs.writeFileSync(`${other}/../build-manifest.json`, '{"pages":{"/":["other.js"]}}');
  assert.equal(await request({ serverDistDir: other }).get(PAGE, pageGet()), null, 'other chunks');
  const third = fakeBuild();
  fs.writeFileSync(`${third}/pages/nextcache-build.json`, '{"id":"another","pid":1,"startedMs":1}');
  assert.equal(await request({ serverDistDir: third }).get(PAGE, pageGet()), null, 'another run of next build');
  const fourth = fakeBuild(undefined, 'build-2');
  assert.equal(await request({ serverDistDir: fourth }).get(PAGE, pageGet()), null, 'another BUILD_ID');
  assert.ok(await request({ serverDistDir: fourth }).get(KEY, fetchGet()));
});

test('keys that differ only in lone surrogates are two', async () => {
  await request().set(`${PAGE}\ud800`, appPage([], { html: 'one' }), pageSet());
  await request().set(`${PAGE}\ud801`, appPage([], { html: 'two' }), pageSet());
  assert.equal((await request().get(`${PAGE}\ud800`, pageGet())).value.html, 'one');
  assert.equal((await request().get(`${PAGE}\ud801`, pageGet())).value.html, 'two');
});

// ---- pages -----------------------------------------------------------------------------

test('a page: miss, set, hit, with its lifetime', async () => {
  assert.equal(await request().get(PAGE, pageGet()), null);
  const page = appPage(['a']);
  await request().set(PAGE, page, pageSet({ revalidate: 60, expire: 3600 }));
  const entry = await request().get(PAGE, pageGet());
  assert.deepStrictEqual(entry.value, page);
  assert.deepStrictEqual(entry.cacheControl, { revalidate: 60, expire: 3600 });
  assert.ok(Math.abs(nextNow() - entry.lastModified) < 1000);
});

test('lifetimes that Next refuses are never returned', async () => {
  const rows = [
    [{ revalidate: false, expire: undefined }, { revalidate: false, expire: undefined }],
    [{ revalidate: 1, expire: 5 }, { revalidate: 1, expire: 5 }],
    [{ revalidate: 0, expire: 5 }, undefined],
    [{ revalidate: -1, expire: 5 }, undefined],
    [undefined, undefined],
  ];
  for (const [given, returned] of rows) {
    await request().set(PAGE, appPage(), { ...pageGet(), cacheControl: given });
    const entry = await request().get(PAGE, pageGet());
    if (given?.revalidate > 0 || given?.revalidate === false || !given) assert.ok(entry);
    if (entry) assert.deepStrictEqual(entry.cacheControl, returned, JSON.stringify(given));
  }
});

test('a page dies by a tag of its header', async () => {
  await request().set(PAGE, appPage(['_N_T_/layout', 'p']), pageSet());
  await request().revalidateTag('other');
  assert.ok(await request().get(PAGE, pageGet()));
  await request().revalidateTag('p');
  assert.equal(await request().get(PAGE, pageGet()), null);
});

test('a page stale by tag: stale for Next, but not expired, and dead at the deadline', async () => {
  for (const [control, expire] of [[{ revalidate: 3600, expire: 31536000 }, 31536000], [{ revalidate: false, expire: undefined }, undefined]]) {
    await request().set(PAGE, appPage(['t']), pageSet(control));
    await request().revalidateTag(['t'], { expire: 3600 });
    const entry = await request().get(PAGE, pageGet());
    assert.deepStrictEqual(entry.cacheControl, { revalidate: 1, expire });
    assert.ok(isStale(entry));
    assert.ok(!isExpired(entry));
  }
  await request().revalidateTag(['t'], { expire: 0 });
  assert.equal(await request().get(PAGE, pageGet()), null);
});

test('a page past its expire is returned, for Next to render before it answers', async () => {
  const { now } = Date;
  Date.now = () => now.call(Date) - 10000;
  await request().set(PAGE, appPage(), pageSet({ revalidate: 1, expire: 5 }));
  Date.now = now;
  assert.ok(isExpired(await request().get(PAGE, pageGet())));
});

test('rscData is withheld where Next withholds it', async () => {
  await request().set(PAGE, appPage([], { postponed: 'state' }), pageSet());
  const ask = async (fields) => (await request().get(PAGE, pageGet(fields))).value;
  assert.equal((await ask({ isFallback: true })).rscData, undefined);
  assert.equal((await ask({ isRoutePPREnabled: true })).rscData, undefined);
  assert.deepStrictEqual((await ask({})).rscData, Buffer.from('0:{"rsc":true}'));
  assert.ok('rscData' in (await ask({ isFallback: true })));
});

test('a value of another kind is a miss, a set of another kind is refused', async () => {
  const warnings = captureWarnings();
  await request().set(PAGE, fetchValue(), pageSet());
  await request().set(KEY, appPage(), fetchSet());
  await request().set(KEY, null, fetchSet());
  warnings.restore();
  assert.equal(warnings.lines.length >= 1, true);
  assert.equal(await request().get(PAGE, pageGet()), null);
  assert.equal(await request().get(KEY, fetchGet()), null);

  await request().set(PAGE, appPage(), pageSet());
  for (const kind of ['PAGES', 'APP_ROUTE', 'IMAGE', 'HOLOGRAM']) {
    assert.equal(await request().get(PAGE, { kind }), null, kind);
  }
  assert.ok(await request().get(PAGE, pageGet()));
});

test('a kind of the future is kept', async () => {
  const value = { kind: 'HOLOGRAM', depth: 3, layers: new Map([['a', Buffer.from('b')]]) };
  await request().set('/h', value, { kind: 'HOLOGRAM', cacheControl: { revalidate: 60 } });
  assert.deepStrictEqual((await request().get('/h', { kind: 'HOLOGRAM' })).value, value);
});

test('not found is a value for the Pages router, and none for an App page', async () => {
  const context = { kind: 'PAGES', isRoutePPREnabled: false, isFallback: false };
  await request().set('/nf', null, { ...context, cacheControl: { revalidate: 10, expire: undefined } });
  const entry = await request().get('/nf', context);
  assert.equal(entry.value, null);
  assert.equal(await request().get('/nf', pageGet()), null);
});

test('during a build pages are not stored, and fetches without options only in memory', async () => {
  process.env.NEXT_PHASE = 'phase-production-build';
  const dir = freshCache();
  try {
    await request().set(PAGE, appPage(), pageSet());
    await request().set(KEY, fetchValue('implicit'), { ...fetchSet(), isImplicitBuildTimeCache: true });
    await request().set(fetchKey('explicit'), fetchValue(), fetchSet());
    assert.equal((await request().get(KEY, fetchGet())).value.data.body, 'implicit');
  } finally {
    delete process.env.NEXT_PHASE;
  }
  freshCache({ dir });
  assert.equal(await request().get(PAGE, pageGet()), null);
  assert.equal(await request().get(KEY, fetchGet()), null);
  assert.ok(await request().get(fetchKey('explicit'), fetchGet()));
});

// ---- births and retention -----------------------------------------------------------------

test('what was rendered before an invalidation and stored after it is not served', async () => {
  for (const what of ['page', 'fetch']) {
    const [key, get, set, value] =
      what === 'page'
        ? [PAGE, pageGet(), pageSet(), appPage(['t'])]
        : [KEY, fetchGet(['t']), fetchSet(['t']), fetchValue()];
    const slow = request();
    assert.equal(await slow.get(key, get), null);
    await request().revalidateTag('t');
    await slow.set(key, value, set);
    assert.equal(await request().get(key, get), null, what);

    const next = request();
    assert.equal(await next.get(key, get), null);
    await next.set(key, value, set);
    assert.ok(await request().get(key, get), `${what}, rendered after it`);
  }
});

test('what one render fetches again is as old as what it fetched first', async () => {
  const render = request();
  assert.equal(await render.get(KEY, fetchGet(['t'], ['_N_T_/a/page'])), null);
  await render.set(KEY, fetchValue('old'), fetchSet(['t']));
  await request().revalidateTag('t');
  // A miss; but below the look-up, React answers from what it has.
  assert.equal(await render.get(KEY, fetchGet(['t'], ['_N_T_/a/page'])), null);
  await render.set(KEY, fetchValue('old'), fetchSet(['t']));
  assert.equal(await request().get(KEY, fetchGet(['t'])), null);

  const handler = request();
  await request().revalidateTag('t');
  assert.equal(await handler.get(KEY, fetchGet(['t'], ['_N_T_/a/route'])), null);
  await handler.set(KEY, fetchValue('new'), fetchSet(['t']));
  assert.ok(await request().get(KEY, fetchGet(['t'])), 'a route handler, which may go on for hours, is not rendered');
});

test('what a function made from a stale fetch is stale with it, and can be renewed', async () => {
  const result = fetchKey('function');
  const asked = { ...fetchGet(['t']), fetchUrl: 'unstable_cache /a f' };
  const stored = { ...fetchSet(['t']), fetchUrl: 'unstable_cache /a f' };
  await request().set(KEY, fetchValue(), fetchSet(['t']));
  await request().set(result, fetchValue(), stored);
  await request().revalidateTag('t', { expire: 3600 });
  const fresh = async (key, context) => !isStale(await request().get(key, context), 3600);

  const render = request();
  await render.get(result, asked); // stale: the function is called …
  await render.get(KEY, fetchGet(['t'])); // … and given what is stale
  await render.set(result, fetchValue(), stored);
  assert.ok(!(await fresh(result, asked)), 'made from what is stale');
  await render.set(KEY, fetchValue(), fetchSet(['t']));
  assert.ok(await fresh(KEY, fetchGet(['t'])), 'fetched anew');
  const next = request();
  await next.get(result, asked);
  await next.get(KEY, fetchGet(['t']));
  await next.set(result, fetchValue(), stored);
  assert.ok(await fresh(result, asked));
});

test('a set without a get is as old as its instance', async () => {
  const before = request();
  await request().revalidateTag('t');
  await before.set(PAGE, appPage(['t']), pageSet());
  assert.equal(await request().get(PAGE, pageGet()), null);
  await request().set(PAGE, appPage(['t']), pageSet());
  assert.ok(await request().get(PAGE, pageGet()));
});

test('a server action’s second announcement does not expire its fresh render', async () => {
  await request().set(KEY, fetchValue('old'), fetchSet(['t']));
  const action = request();
  await action.revalidateTag(['t'], undefined);
  assert.equal(await action.get(KEY, fetchGet(['t'])), null);
  await action.set(KEY, fetchValue('new'), fetchSet(['t']));
  await new Promise((resolve) => setTimeout(resolve, 5));
  // Next's own list holds this time, rounded, against what is older.
  const listed = Math.round(nextNow());
  await action.revalidateTag(['t'], undefined);
  const entry = await request().get(KEY, fetchGet(['t']));
  assert.equal(entry.value.data.body, 'new');
  assert.ok(entry.lastModified >= listed);
  await request().revalidateTag(['t'], undefined);
  assert.equal(await request().get(KEY, fetchGet(['t'])), null, 'another request is no repeat');
});

test('in the edge runtime, whose requests cannot be told apart, what after() revalidates again counts', async (t) => {
  inRequests(t); // this is none of them
  const route = request();
  await route.revalidateTag(['t'], undefined);
  await request().set(KEY, fetchValue('between'), fetchSet(['t']));
  await route.revalidateTag(['t'], undefined);
  assert.equal(await request().get(KEY, fetchGet(['t'])), null);
});

test('retention keeps birth and lifetime, and only delays the next try', async () => {
  await request().set(PAGE, appPage(['t']), pageSet());
  await request().revalidateTag(['t'], { expire: 3600 });
  const failing = request();
  const stale = await failing.get(PAGE, pageGet());
  assert.ok(isStale(stale));
  // Next stores the very object again, for 30 seconds.
  await failing.set(PAGE, stale.value, pageSet({ revalidate: 30, expire: 31536000 }));
  const retained = await request().get(PAGE, pageGet());
  assert.deepStrictEqual(retained.value, stale.value);
  assert.ok(!isStale(retained) && !isExpired(retained));
  assert.equal(retained.cacheControl.revalidate, 30);
  assert.ok(retained.cacheControl.expire <= 3600, 'dead at the deadline of the tag');
  assert.equal(nextcache.stats().puts.pages, 1, 'nothing was stored');

  const { now } = Date;
  Date.now = () => now.call(Date) + 31000;
  const later = await request().get(PAGE, pageGet());
  Date.now = now;
  assert.equal(later.cacheControl.revalidate, 1, 'stale again when the delay is over');

  await request().revalidateTag(['t']);
  assert.equal(await request().get(PAGE, pageGet()), null, 'and dead when it is marked dead');
});

test('an invalidation while a render fails kills the retained page', async () => {
  await request().set(PAGE, appPage(['t']), pageSet());
  await request().revalidateTag(['t'], { expire: 3600 });
  const failing = request();
  const stale = await failing.get(PAGE, pageGet());
  await request().revalidateTag(['t']);
  await failing.set(PAGE, stale.value, pageSet({ revalidate: 30, expire: 33 }));
  assert.equal(await request().get(PAGE, pageGet()), null);
});

test('an equal page that is rendered anew is stored, not retained', async () => {
  await request().set(PAGE, appPage(['t']), pageSet());
  await request().revalidateTag(['t'], { expire: 3600 });
  const handler = request();
  await handler.get(PAGE, pageGet());
  await handler.set(PAGE, appPage(['t']), pageSet());
  assert.ok(!isStale(await request().get(PAGE, pageGet())));
});

// ---- faults ----------------------------------------------------------------------------

test('a cache that throws: get is a miss, everything else is nothing, and each cause is one line', async () => {
  const useCache = inPackage('use-cache-handler.js');
  const warnings = captureWarnings();
  const engine = theEngine();
  const broken = ['get', 'put', 'mark', 'judge', 'remove', 'birth'];
  for (const name of broken) {
    engine[name] = () => {
      throw new Error('storage is broken');
    };
  }
  const entry = () => ({ value: new Blob(['x']).stream(), tags: ['t'], stale: 1, revalidate: 60, expire: 600, timestamp: nextNow() });
  try {
    for (let i = 0; i < 3; i++) {
      assert.equal(await request().get(KEY, fetchGet()), null);
      assert.equal(await request().get(PAGE, pageGet()), null);
      assert.equal(await request().get(undefined, undefined), null);
      await request().set(KEY, fetchValue(), fetchSet());
      await request().set(PAGE, appPage(), pageSet());
      await request().revalidateTag(['t']);
      await useCache.refreshTags();
      assert.equal(await useCache.get('u', []), undefined);
      await useCache.set('u', Promise.resolve(entry()));
      await useCache.updateTags(['t']);
      await useCache.expireTags('t');
    }
  } finally {
    for (const name of broken) delete engine[name];
    warnings.restore();
  }
  const causes = warnings.lines.map((line) => line.split(':')[1]);
  assert.deepEqual(causes, [...new Set(causes)], 'one line per cause');
  assert.ok(causes.length >= 5, causes.join('\n'));
  assert.equal(await request().get(PAGE, pageGet()), null, 'and it works again');
  await request().set(PAGE, appPage(), pageSet());
  assert.ok(await request().get(PAGE, pageGet()));
});

test('a value that cannot be stored is told once, and its old version goes', async () => {
  await request().set(PAGE, appPage(), pageSet());
  const warnings = captureWarnings();
  const page = appPage([], { headers: { f() {} } });
  await request().set(PAGE, page, pageSet());
  await request().set(PAGE, page, pageSet());
  warnings.restore();
  assert.equal(warnings.lines.length, 1);
  assert.match(warnings.lines[0], /headers\.f cannot be stored/);
  assert.equal(await request().get(PAGE, pageGet()), null);
});

test('an empty revalidateTag, as Next 14 floods it, costs nothing', async () => {
  const before = nextcache.stats().marks;
  for (let i = 0; i < 1000; i++) await request().revalidateTag([]);
  assert.equal(nextcache.stats().marks, before);
});

test('an instance opens nothing: Next makes up to three for a request', () => {
  const files = () => require('node:fs').readdirSync('/proc/self/fd').length;
  request({ maxMemoryCacheSize: 50 * 2 ** 20 });
  const before = files();
  for (let i = 0; i < 10000; i++) request({ maxMemoryCacheSize: 50 * 2 ** 20 });
  assert.equal(files(), before);
});
