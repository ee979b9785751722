'use strict';
// An answer that is given again must not outlive what it rests on.
const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');
const { startPeer } = require('./peer');
const { appPage, eventually, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, pageGet, pageSet } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');
const useCache = inPackage('use-cache-handler.js');
const { theEngine } = inPackage('lib/engine.js');

const KEY = fetchKey('k');
const PAGE = '/route-cache/APP_PAGE/0123/$/page';
let serverDistDir;
let dir;

const request = (context = {}) => new CacheHandler({ serverDistDir, revalidatedTags: [], ...context });
const getPage = (fields) => request().get(PAGE, pageGet(fields));
const getFetch = (...args) => request().get(KEY, fetchGet(...args));

/** Counts how often the engine looks something up, instead of only asking whether it is unchanged. */
function countLookUps(t) {
  const counted = { lookUps: 0 };
  const engine = theEngine();
  const { getStored } = engine;
  engine.getStored = (...args) => {
    counted.lookUps += 1;
    return getStored.apply(engine, args);
  };
  t.after(() => delete engine.getStored);
  return counted;
}

/** Stores a page, or a fetch, and asks until its answer is one that can be given again. */
async function storedPage(fields, control) {
  await request().set(PAGE, appPage(['t'], fields), pageSet(control));
  await getPage();
  return getPage();
}
async function storedFetch(tags = ['t']) {
  await request().set(KEY, fetchValue(), fetchSet(tags));
  await getFetch(tags);
  return getFetch(tags);
}

beforeEach(() => {
  serverDistDir = fakeBuild();
  dir = freshCache();
});

test('what is asked for again is not looked up again, is the same, and counts as a hit', async (t) => {
  const page = await storedPage();
  const fetched = await storedFetch();
  const counted = countLookUps(t);
  const before = nextcache.stats().memoryHits;
  let rounds = 0;
  // An answer is looked up once a second, and a second may pass anywhere.
  await eventually(async () => {
    rounds += 1;
    counted.lookUps = 0;
    assert.deepStrictEqual(await getPage(), page);
    assert.equal((await getPage()).value, page.value);
    assert.deepStrictEqual(await getFetch(['t']), fetched);
    return counted.lookUps === 0;
  });
  const { memoryHits } = nextcache.stats();
  assert.deepEqual([memoryHits.pages - before.pages, memoryHits.fetches - before.fetches], [2 * rounds, rounds]);
});

test("a result of 'use cache' that is asked for again is not looked up again", async (t) => {
  const value = new Response('0:"result"\n').body;
  await useCache.set('r', Promise.resolve({ value, tags: ['t'], stale: 1, revalidate: 900, expire: 900, timestamp: performance.timeOrigin + performance.now() }));
  const counted = countLookUps(t);
  const held = []; // what is decoded is kept for as long as somebody has it
  await eventually(async () => {
    counted.lookUps = 0;
    held.push(await useCache.get('r', ['soft']));
    assert.equal(await new Response(held.at(-1).value).text(), '0:"result"\n');
    return counted.lookUps === 0;
  });
  await useCache.updateTags(['soft']);
  assert.equal(await useCache.get('r', ['soft']), undefined);
});

test('another process marks or replaces, or all is cleared', async (t) => {
  const peer = await startPeer({ dir, serverDistDir });
  t.after(() => peer.stop());
  assert.ok(await storedPage());
  await peer.order('mark', ['t']);
  assert.equal(await getPage(), null);

  assert.ok(await storedPage());
  await peer.order('set', PAGE, appPage(['t'], { html: 'of the other' }), pageSet());
  assert.equal((await getPage()).value.html, 'of the other');
  await getPage();
  await peer.order('mark', ['t'], { expire: 60 });
  assert.equal((await getPage()).cacheControl.revalidate, 1); // stale, in the words of 16.4

  assert.ok(await storedPage());
  await nextcache.clear();
  assert.equal(await getPage(), null);
});

test('this process replaces or removes', async () => {
  await storedPage();
  await request().set(PAGE, appPage([], { html: 'new' }), pageSet());
  assert.equal((await getPage()).value.html, 'new');
  await storedFetch();
  await theEngine().remove(`f:${KEY}`);
  assert.equal(await getFetch(['t']), null);
});

test('a lifetime that ends within the second', async () => {
  const times = { birth: theEngine().birth(), created: Date.now() };
  for (const [name, lifetime] of [['expire', { expire: 60 }], ['revalidate', { revalidate: 60 }]]) {
    await theEngine().put(`f:${KEY}`, 3, [], { ...times, created: Date.now(), ...lifetime }, { value: fetchValue() });
    const began = performance.now();
    while (performance.now() - began < 100) await getFetch();
    const last = await getFetch();
    if (name === 'expire') assert.equal(last, null);
    else assert.ok(last.lastModified < Date.now() - 3600_000, 'stale, which a fetch is told by its age');
  }
});

test('the same fetch is stale for who wants it fresher', async () => {
  await storedFetch([]);
  assert.ok(await getFetch([], [], 3600));
  const began = performance.now();
  while (performance.now() - began < 60) await getFetch([], [], 0.03);
  const handler = request();
  await handler.get(KEY, fetchGet([], [], 0.03));
  assert.ok(handler.pending.finish(KEY), 'Next will fetch it anew, which it must be told to be born now');
});

test('other tags of the question are looked at, also when they were added to the same array', async () => {
  await storedFetch([]);
  const softTags = ['_N_T_/a'];
  const context = fetchGet([], softTags);
  await request().get(KEY, context);
  await nextcache.revalidateTag('_N_T_/b');
  assert.ok(await request().get(KEY, context));
  assert.ok(await request().get(KEY, context));
  softTags.push('_N_T_/b');
  assert.equal(await request().get(KEY, context), null);
  assert.equal(await getFetch([], ['_N_T_/b']), null);
  assert.ok(await getFetch([], ['_N_T_/a']));
});

test('other ways of asking for a page', async () => {
  await storedPage({ postponed: 'later' });
  assert.ok((await getPage()).value.rscData);
  assert.equal((await getPage({ isFallback: true })).value.rscData, undefined);
  assert.equal((await getPage({ isRoutePPREnabled: true })).value.rscData, undefined);
  assert.equal(await request().get(PAGE, pageGet({ kind: 'PAGES' })), null);
  assert.equal(await request({ serverDistDir: fakeBuild(undefined, 'build-2') }).get(PAGE, pageGet()), null);
  assert.ok(await getPage());
});

test('a page that is missing is missing again', async () => {
  for (let i = 0; i < 4; i++) {
    if (i === 0) await request().set(PAGE, null, pageSet(undefined, { kind: 'PAGES' }));
    assert.equal((await getPage({ kind: 'PAGES' })).value, null);
  }
});

test('a failed render is told at once', async () => {
  const { value } = await storedPage();
  await request().set(PAGE, value, pageSet({ revalidate: 7, expire: 3600 }));
  assert.equal((await getPage()).cacheControl.revalidate, 7);
});

test('a revalidation that this process repeats moves the time that Next is told', async () => {
  const handler = request();
  await handler.revalidateTag(['t']);
  const before = await storedPage();
  await new Promise((resolve) => setTimeout(resolve, 3));
  await handler.revalidateTag(['t']); // a repeat: nothing is marked
  const after = await getPage();
  assert.ok(after.lastModified > before.lastModified);
});

test('a minimal-mode request that revalidates does not get it', async () => {
  await storedFetch();
  assert.equal(await request({ revalidatedTags: ['t'] }).get(KEY, fetchGet(['t'])), null);
});
