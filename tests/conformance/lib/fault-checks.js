// The checks of part "faults", one group per process: `fault-checks.js GROUP`.
// Each is a function that throws when the handler does not do as it should.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { streamOf } = require('./encoding.js');

const BINDING = process.env.CONFORMANCE_BINDING || path.resolve(__dirname, '../../../bindings/node');
const load = (file) => {
  const module = require(path.join(BINDING, file));
  return module.default ?? module;
};

// ---- asking as Next asks ------------------------------------------------------

const OPTIONS = {
  dev: false,
  flushToDisk: true,
  serverDistDir: path.join(process.cwd(), '.next/server'),
  revalidatedTags: [],
  maxMemoryCacheSize: 52428800,
  _requestHeaders: {},
  fetchCacheKeyPrefix: '',
};

let Handler;
let plural;
const instance = (options) => new Handler({ ...OPTIONS, ...options });

/** Next makes a new instance for every request. */
const get = (key, ctx, options) => instance(options).get(key, ctx);
const set = (key, value, ctx) => instance().set(key, value, ctx);
const revalidateTag = (...args) => instance().revalidateTag(...args);

let count = 0;
const fresh = (prefix) => `${prefix}-${++count}`;
const pageKey = (kind = 'APP_PAGE') => `/route-cache/${kind}/${'ab'.repeat(32)}/$/${fresh('page')}`;
const fetchKey = () => (++count).toString(16).padStart(64, '0');

const asks = (kind, more) => ({ kind, isRoutePPREnabled: false, isFallback: false, ...more });
const sets = (kind, cacheControl = { revalidate: 60, expire: 31536000 }) => ({ ...asks(kind), cacheControl });
const asksFetch = (more) => ({ kind: 'FETCH', revalidate: 60, fetchUrl: 'http://a/', fetchIdx: 1, tags: [], softTags: [], ...more });
const setsFetch = (tags = []) => ({ fetchCache: true, fetchUrl: 'http://a/', fetchIdx: 1, tags, isImplicitBuildTimeCache: false });

const page = (more) => ({
  kind: 'APP_PAGE',
  html: '<html>héllo 世界</html>',
  rscData: Buffer.from([0, 255, 1, 254]),
  postponed: undefined,
  headers: { 'x-next-cache-tags': '_N_T_/layout' },
  status: undefined,
  segmentData: new Map([['/_tree', Buffer.from('tree')]]),
  ...more,
});
const route = (more) => ({ kind: 'APP_ROUTE', status: 200, body: Buffer.from([1, 2, 3, 0, 255]), headers: { 'content-type': 'a/b' }, ...more });
const pagesPage = (more) => ({ kind: 'PAGES', html: '<p>', pageData: { pageProps: { a: 1 }, __N_SSG: true }, headers: undefined, status: undefined, ...more });
const fetched = (more) => ({ kind: 'FETCH', data: { headers: { a: 'b' }, body: 'eA==', status: 200, url: 'http://a/' }, revalidate: 60, ...more });
const tagged = (tag, more) => page({ headers: { 'x-next-cache-tags': `_N_T_/layout,${tag}` }, ...more });

const clockNow = () => performance.timeOrigin + performance.now();
const isMiss = (answer) => answer === null || answer === undefined;
const assertMiss = (answer, what = 'the answer') => assert.ok(isMiss(answer), `${what} is not a miss`);

/** Moves the clock of this process: the first number of its file (clock.c). */
function advance(ms) {
  const moment = Buffer.alloc(8);
  const fd = fs.openSync(process.env.CONFORMANCE_CLOCK, 'r+');
  fs.readSync(fd, moment, 0, 8, 0);
  moment.writeBigInt64LE(moment.readBigInt64LE() + BigInt(ms) * 1000000n);
  fs.writeSync(fd, moment, 0, 8, 0);
  fs.closeSync(fd);
}

/** Sets a value and sees that it comes back as `expected`. */
async function comesBack(key, value, ask, setCtx, expected = value) {
  await set(key, value, setCtx);
  const answer = await get(key, ask);
  assert.ok(!isMiss(answer), 'the answer is a miss');
  assert.deepStrictEqual(answer.value, expected);
  return answer;
}

const pageComesBack = (value, expected) => comesBack(pageKey(), value, asks('APP_PAGE'), sets('APP_PAGE'), expected);
const pagesComesBack = (value) => comesBack(pageKey('PAGES'), value, asks('PAGES'), sets('PAGES'));
const fetchComesBack = (value) => comesBack(fetchKey(), value, asksFetch(), setsFetch());

/** Next would serve the answer and render anew in the background. */
function assertStale(answer, expire = 31536000) {
  assert.ok(!isMiss(answer), 'the answer is a miss');
  const age = (clockNow() - answer.lastModified) / 1000;
  const { revalidate } = answer.cacheControl;
  assert.ok(revalidate >= 1, `revalidate is ${revalidate}: Next answers 500 below 1`);
  assert.ok(age > revalidate, `it is ${age} s old and fresh for ${revalidate} s`);
  assert.ok(age < (answer.cacheControl.expire ?? expire), 'it is past its expire');
}

// ---- plural -----------------------------------------------------------------------

const entryOf = (more, chunks = ['hello']) => ({
  value: streamOf(chunks.map((chunk) => (typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk))),
  tags: [],
  stale: 300,
  timestamp: clockNow(),
  expire: 3600,
  revalidate: 900,
  ...more,
});
const setEntry = (key, entry) => plural.set(key, Promise.resolve(entry));
const textOf = async (entry) => new Response(entry.value).text();
const useCacheKey = () => `["c0ffee",["${fresh('a')}"],["build-1"]]`;

function brokenStream(chunksBefore) {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent++ < chunksBefore) controller.enqueue(new Uint8Array([1, 2, 3]));
      else controller.error(new Error('boom'));
    },
  });
}

// ---- the checks ---------------------------------------------------------------------

const hostile = () => new Proxy({}, { get: () => { throw new Error('hostile'); } });

const BROKEN_CONTEXTS = {
  none: () => undefined,
  null: () => null,
  empty: () => ({}),
  'a number': () => 7,
  'an unknown kind': () => asks('HOLOGRAM'),
  'a kind that is no string': () => asks(17),
  'tags that are a string': () => asksFetch({ tags: 'a,b', softTags: 'c' }),
  'tags that are null': () => asksFetch({ tags: null, softTags: null }),
  'tags that are no strings': () => asksFetch({ tags: [1, null, undefined, {}, Symbol('s')], softTags: [[], NaN] }),
  'ten thousand tags': () => asksFetch({ softTags: Array.from({ length: 10000 }, (_, i) => `tag-${i}`) }),
  'a tag of a megabyte': () => asksFetch({ softTags: ['x'.repeat(1 << 20)] }),
  'a getter that throws': hostile,
};

const BROKEN_KEYS = {
  'no key': undefined,
  'the empty key': '',
  'a key that is a number': 42,
  'a key that is an object': {},
  'a key that leaves the folder': '/route-cache/APP_PAGE/x/$/../../../../../etc/passwd',
  'a key with a NUL': '/a\0b',
  'a key with a lone surrogate': '/a\ud800b',
  'a key of a megabyte': `/${'k'.repeat(1 << 20)}`,
};

function cyclic() {
  const props = { a: 1 };
  props.self = props;
  return pagesPage({ pageData: props });
}

/** Values that no Next.js sets. They may be stored or not; what comes back
 * must be either what was set or a miss. */
const STRANGE_VALUES = {
  undefined: () => undefined,
  'an empty object': () => ({}),
  'a string': () => 'page',
  'a FETCH without data': () => ({ kind: 'FETCH' }),
  'a page without a body': () => ({ kind: 'APP_PAGE' }),
  'a page whose HTML is a number': () => page({ html: 12 }),
  'a segment that is no Buffer': () => page({ segmentData: new Map([['/_tree', 'text']]) }),
  'a cycle': cyclic,
  'a function': () => pagesPage({ pageData: { f: () => 1 } }),
  'a symbol': () => pagesPage({ pageData: { s: Symbol('s') } }),
  'a getter that throws': hostile,
  'a hundred thousand levels': () => {
    let deep = {};
    for (let i = 0; i < 100000; i++) deep = { deep };
    return pagesPage({ pageData: deep });
  },
};

const usual = {
  // Kinds
  async 'a FETCH value is refused under a page key'() {
    const key = pageKey();
    await set(key, fetched(), sets('APP_PAGE'));
    assertMiss(await get(key, asks('APP_PAGE')));
  },
  async 'a page is refused under a FETCH key'() {
    const key = fetchKey();
    await set(key, page(), setsFetch());
    assertMiss(await get(key, asksFetch()));
  },
  async 'a value of another kind than asked for is a miss'() {
    const values = { APP_PAGE: page(), APP_ROUTE: route(), PAGES: pagesPage() };
    for (const [kind, value] of Object.entries(values)) {
      const key = pageKey(kind);
      await set(key, value, sets(kind));
      for (const other of Object.keys(values)) {
        const answer = await get(key, asks(other));
        if (other === kind) assert.equal(answer?.value?.kind, kind);
        else assertMiss(answer, `${kind} asked for as ${other}`);
      }
      assertMiss(await get(key, asksFetch()), `${kind} asked for as FETCH`);
    }
  },
  async 'null is a value for PAGES'() {
    const key = pageKey('PAGES');
    await set(key, null, sets('PAGES'));
    const answer = await get(key, asks('PAGES'));
    assert.strictEqual(answer.value, null);
    assert.ok(answer.lastModified > 0);
  },
  async 'null is a miss for APP_PAGE'() {
    const key = pageKey();
    await set(key, null, sets('APP_PAGE'));
    assertMiss(await get(key, asks('APP_PAGE')));
  },
  async 'REDIRECT comes back for PAGES'() {
    const value = { kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/x', __N_REDIRECT_STATUS: 308 }, __N_SSG: true } };
    await comesBack(pageKey('PAGES'), value, asks('PAGES'), sets('PAGES'));
  },

  // Nothing breaks it
  async 'get never throws, whatever its context'() {
    for (const [name, context] of Object.entries(BROKEN_CONTEXTS)) {
      for (const key of [pageKey(), fetchKey()]) {
        const stored = key.length === 64 ? [fetched(), setsFetch()] : [page(), sets('APP_PAGE')];
        await set(key, ...stored);
        await assert.doesNotReject(async () => get(key, context()), `context: ${name}`);
      }
    }
  },
  async 'get and set never throw, whatever the key'() {
    for (const [name, key] of Object.entries(BROKEN_KEYS)) {
      await assert.doesNotReject(async () => set(key, page(), sets('APP_PAGE')), name);
      await assert.doesNotReject(async () => get(key, asks('APP_PAGE')), name);
    }
  },
  async 'a long key, one with a NUL and one with a lone surrogate are keys'() {
    for (const name of ['a key with a NUL', 'a key with a lone surrogate', 'a key of a megabyte']) {
      const value = page({ html: name });
      await comesBack(BROKEN_KEYS[name], value, asks('APP_PAGE'), sets('APP_PAGE'));
    }
    assertMiss(await get('/a\ud801b', asks('APP_PAGE')), 'another lone surrogate');
    assertMiss(await get('/a\ufffdb', asks('APP_PAGE')), 'the replacement character');
  },
  async 'a strange value comes back whole or not at all, and set never throws'() {
    for (const [name, make] of Object.entries(STRANGE_VALUES)) {
      for (const kind of ['APP_PAGE', 'PAGES']) {
        const key = pageKey(kind);
        await assert.doesNotReject(async () => set(key, make(), sets(kind)), name);
        const answer = await get(key, asks(kind));
        if (isMiss(answer) || name === 'a hundred thousand levels') continue;
        assert.equal(answer.value?.kind, kind, name);
        if (name !== 'a cycle') assert.deepStrictEqual(answer.value, make(), name);
      }
    }
  },
  async 'a set of a broken value does not leave the old one'() {
    const key = pageKey('PAGES');
    await set(key, pagesPage({ html: 'old' }), sets('PAGES'));
    await set(key, pagesPage({ html: 'new', pageData: { f: () => 1 } }), sets('PAGES'));
    const answer = await get(key, asks('PAGES'));
    assert.notEqual(answer?.value?.html, 'old');
  },
  async 'set takes no context, or a broken one'() {
    for (const context of [undefined, null, {}, { cacheControl: null }, { cacheControl: { revalidate: 'x' } }, hostile()]) {
      await assert.doesNotReject(async () => set(pageKey(), page(), context));
    }
  },
  async 'the constructor takes no options, or broken ones'() {
    for (const options of [undefined, {}, { serverDistDir: 3 }, { serverDistDir: '/does/not/exist' }]) {
      assert.doesNotThrow(() => new Handler(options));
      await assert.doesNotReject(async () => new Handler(options).get(pageKey(), asks('APP_PAGE')));
      await assert.doesNotReject(async () => new Handler(options).set(pageKey(), page(), sets('APP_PAGE')));
    }
  },
  async 'resetRequestCache does nothing'() {
    const handler = instance();
    const key = pageKey();
    await handler.set(key, page(), sets('APP_PAGE'));
    assert.strictEqual(handler.resetRequestCache?.(), undefined);
    assert.ok(!isMiss(await handler.get(key, asks('APP_PAGE'))));
  },

  // Types
  async 'Uint8Arrays come back as Uint8Arrays, Buffers as Buffers'() {
    for (const bytes of [new Uint8Array([9, 8, 7]), Buffer.from([9, 8, 7])]) {
      await pageComesBack(page({ rscData: bytes, segmentData: new Map([['/_tree', bytes]]) }));
      await comesBack(pageKey('APP_ROUTE'), route({ body: bytes }), asks('APP_ROUTE'), sets('APP_ROUTE'));
    }
  },
  async 'a Buffer that is a window on a larger one'() {
    const pool = Buffer.alloc(1000, 7);
    await pageComesBack(page({ rscData: pool.subarray(100, 103), segmentData: new Map([['/a', pool.subarray(999)]]) }));
  },
  async 'empty Buffers, Maps and strings'() {
    await pageComesBack(page({ html: '', rscData: Buffer.alloc(0), segmentData: new Map(), headers: {} }));
    await pageComesBack(page({ segmentData: new Map([['', Buffer.alloc(0)]]) }));
    await comesBack(pageKey('APP_ROUTE'), route({ body: Buffer.alloc(0) }), asks('APP_ROUTE'), sets('APP_ROUTE'));
  },
  async 'large Buffers and strings'() {
    const big = Buffer.alloc(3 << 20, 'abcdefg');
    await pageComesBack(page({ html: 'é'.repeat(1 << 20), rscData: big, segmentData: new Map([['/_full', big]]) }));
    await pageComesBack(page({ html: '世'.repeat(1 << 20) }));
    await pageComesBack(page({ html: 'x'.repeat((1 << 20) + 1) }));
  },
  async 'undefined, null and absent are three things'() {
    for (const nothing of [undefined, null]) {
      await pageComesBack(page({ postponed: nothing, rscData: nothing, segmentData: nothing, status: nothing, headers: nothing }));
      await pagesComesBack(pagesPage({ headers: nothing, status: nothing, pageData: { a: nothing, list: [nothing, 1] } }));
      await fetchComesBack(fetched({ data: { headers: {}, body: nothing, status: 200, url: '' } }));
    }
    const { postponed, status, segmentData, ...bare } = page();
    await pageComesBack(bare);
  },
  async 'every UTF-16 text: lone surrogates, NUL, Latin-1, astral'() {
    for (const html of ['\ud800', 'a\udc00b', '\udfff\ud800', '\0', '\xe9\xff\x80', '𝄞😀', '\ufeffx', '\u2028', '']) {
      await pageComesBack(page({ html, postponed: html, headers: { h: html } }));
      await pagesComesBack(pagesPage({ html, pageData: { [html]: html, nested: { [html]: [html] } } }));
      await fetchComesBack(fetched({ data: { headers: { h: html }, body: html, status: 200, url: html } }));
    }
  },
  async 'numbers of every sort in pageData'() {
    const numbers = [0, -0, 1.5, -1, 2 ** 31, 2 ** 53, 1e308, 5e-324, 4294967294];
    await pagesComesBack(pagesPage({ pageData: { numbers } }));
  },
  async 'keys of pageData that JSON or JavaScript treats specially'() {
    const pageData = JSON.parse('{"__proto__":{"x":1},"constructor":1,"toString":null,"$t":"Buffer","":0,"1":2,"type":"Buffer","data":[1]}');
    await pagesComesBack(pagesPage({ pageData }));
  },
  async 'headers with arrays, numbers and undefined'() {
    const headers = { 'set-cookie': ['a=1', 'b=2'], 'content-length': 12, etag: undefined, 'x-multi': 'a, b' };
    await comesBack(pageKey('APP_ROUTE'), route({ headers, status: 203 }), asks('APP_ROUTE'), sets('APP_ROUTE'));
    await pageComesBack(page({ headers, status: 404 }));
  },
  async 'fields of a future Next.js'() {
    const future = { prefetchHints: { slots: [1, { a: new Map([['k', Buffer.from('v')]]) }] }, flag: true, when: 1.25 };
    await pageComesBack(page({ future }));
    await fetchComesBack(fetched({ future: { a: [null, undefined, 'x'] } }));
  },
  async 'the order of the segments'() {
    const segmentData = new Map(['/z', '/a', '/_tree', '/$d$x/__PAGE__'].map((name) => [name, Buffer.from(name)]));
    const key = pageKey();
    await set(key, page({ segmentData }), sets('APP_PAGE'));
    assert.deepEqual([...(await get(key, asks('APP_PAGE'))).value.segmentData.keys()], [...segmentData.keys()]);
  },
  async 'a FETCH body of every size around the limits of strings and Buffers'() {
    for (const size of [4095, 4096, 4097, 65535, 65536, 65537]) {
      await fetchComesBack(fetched({ data: { headers: {}, body: 'x'.repeat(size), status: 200, url: '' } }));
      await comesBack(pageKey('APP_ROUTE'), route({ body: Buffer.alloc(size, 5) }), asks('APP_ROUTE'), sets('APP_ROUTE'));
    }
  },

  // Shells
  async 'the RSC data of a fallback is withheld'() {
    const key = pageKey();
    await set(key, page(), { ...sets('APP_PAGE'), isFallback: true, isRoutePPREnabled: true });
    const { value } = await get(key, asks('APP_PAGE', { isFallback: true, isRoutePPREnabled: true }));
    assert.strictEqual(value.rscData, undefined);
  },
  async 'the RSC data of a postponed page is withheld'() {
    const key = pageKey();
    await set(key, page({ postponed: 'state' }), { ...sets('APP_PAGE'), isRoutePPREnabled: true });
    const { value } = await get(key, asks('APP_PAGE', { isRoutePPREnabled: true }));
    assert.strictEqual(value.rscData, undefined);
    assert.strictEqual(value.postponed, 'state');
  },
  async 'the RSC data of a whole page of a PPR route is kept'() {
    const key = pageKey();
    await set(key, page(), { ...sets('APP_PAGE'), isRoutePPREnabled: true });
    assert.ok(Buffer.isBuffer((await get(key, asks('APP_PAGE', { isRoutePPREnabled: true }))).value.rscData));
  },

  // Times
  async 'a cacheControl comes back as it was set'() {
    const lifetimes = [{ revalidate: 1, expire: 31536000 }, { revalidate: false, expire: undefined }, { revalidate: 4294967294, expire: 4294967294 }];
    for (const cacheControl of lifetimes) {
      const key = pageKey();
      await set(key, page(), sets('APP_PAGE', cacheControl));
      const answer = await get(key, asks('APP_PAGE'));
      assert.equal(answer.cacheControl.revalidate, cacheControl.revalidate);
      assert.equal(answer.cacheControl.expire, cacheControl.expire);
    }
  },
  async 'a cacheControl that Next would answer with 500 is never returned'() {
    for (const revalidate of [0, -1, -0.5, NaN, '60', null, undefined, Infinity]) {
      const key = pageKey();
      await set(key, page(), sets('APP_PAGE', { revalidate, expire: undefined }));
      const answer = await get(key, asks('APP_PAGE'));
      if (isMiss(answer) || answer.cacheControl === undefined) continue;
      const returned = answer.cacheControl.revalidate;
      assert.ok(returned === false || returned >= 1, `set with ${revalidate}, returned ${returned}`);
    }
  },
  async 'a page past its expire is returned, for Next to judge'() {
    for (const [kind, value] of [['APP_PAGE', page()], ['PAGES', null]]) {
      const key = pageKey(kind);
      await set(key, value, sets(kind, { revalidate: 1, expire: 10 }));
      advance(20000);
      const answer = await get(key, asks(kind));
      assert.deepStrictEqual(answer?.value, value);
      assert.deepEqual(answer.cacheControl, { revalidate: 1, expire: 10 });
      assert.ok(clockNow() - answer.lastModified >= 20000);
    }
  },
  async 'lastModified is the moment of the set'() {
    const key = pageKey();
    const before = clockNow();
    await set(key, page(), sets('APP_PAGE'));
    advance(5000);
    const { lastModified } = await get(key, asks('APP_PAGE'));
    assert.ok(lastModified >= before - 5 && lastModified <= before + 2000, `${lastModified} is not near ${before}`);
  },

  // Marks
  async 'revalidateTag takes a string, an array, nothing, and nonsense'() {
    for (const tags of ['a', ['a', 'b'], [], undefined, null, 7, [7, null, {}], [''], ['x'.repeat(1 << 20)]]) {
      await assert.doesNotReject(async () => revalidateTag(tags));
      await assert.doesNotReject(async () => revalidateTag(tags, undefined));
    }
    for (const expire of [undefined, null, 0, -1, NaN, Infinity, 'x', 1e300]) {
      await assert.doesNotReject(async () => revalidateTag([fresh('t')], { expire }));
    }
  },
  async 'a mark kills pages, routes, Pages pages and fetches'() {
    const tag = fresh('tag');
    const header = { headers: { 'x-next-cache-tags': `_N_T_/layout,${tag}` } };
    const stored = [
      [pageKey(), page(header), asks('APP_PAGE'), sets('APP_PAGE')],
      [pageKey('APP_ROUTE'), route(header), asks('APP_ROUTE'), sets('APP_ROUTE')],
      [pageKey('PAGES'), pagesPage(header), asks('PAGES'), sets('PAGES')],
      [fetchKey(), fetched(), asksFetch({ tags: [tag] }), setsFetch([tag])],
    ];
    for (const [key, value, ask, setCtx] of stored) await comesBack(key, value, ask, setCtx);
    const other = pageKey();
    await set(other, page(), sets('APP_PAGE'));
    await revalidateTag([tag], undefined);
    for (const [key, { kind }, ask] of stored) assertMiss(await get(key, ask), kind);
    assert.ok(!isMiss(await get(other, asks('APP_PAGE'))), 'a page without the tag died');
    for (const [key, value, ask, setCtx] of stored) await comesBack(key, value, ask, setCtx);
  },
  async 'a mark of a soft tag kills the fetch for those who ask with it'() {
    const [key, soft] = [fetchKey(), fresh('_N_T_/page')];
    await set(key, fetched(), setsFetch(['t']));
    await revalidateTag([soft], undefined);
    assertMiss(await get(key, asksFetch({ tags: ['t'], softTags: [soft] })));
    assert.ok(!isMiss(await get(key, asksFetch({ tags: ['t'], softTags: ['_N_T_/other'] }))));
  },
  async 'the tags of the question count for a fetch, too'() {
    const [key, late] = [fetchKey(), fresh('late')];
    await set(key, fetched(), setsFetch([]));
    await revalidateTag([late], undefined);
    assertMiss(await get(key, asksFetch({ tags: [late] })));
  },
  async 'revalidatedTags of the constructor are misses for fetches'() {
    const [key, tag] = [fetchKey(), fresh('minimal')];
    await set(key, fetched(), setsFetch([tag]));
    assertMiss(await get(key, asksFetch({ tags: [tag] }), { revalidatedTags: [tag] }));
    assert.ok(!isMiss(await get(key, asksFetch({ tags: [tag] }))));
  },
  async 'a mark with a deadline: stale first, dead after it'() {
    const tag = fresh('tag');
    const [key, dataKey] = [pageKey(), fetchKey()];
    await set(key, tagged(tag), sets('APP_PAGE', { revalidate: 600, expire: 31536000 }));
    await set(dataKey, fetched(), setsFetch([tag]));
    await revalidateTag([tag], { expire: 10 });
    assertStale(await get(key, asks('APP_PAGE')));
    const data = await get(dataKey, asksFetch({ tags: [tag] }));
    assert.ok(isMiss(data) || (clockNow() - data.lastModified) / 1000 > 60, 'the fetch is still fresh');
    advance(11000);
    assertMiss(await get(key, asks('APP_PAGE')), 'the page after the deadline');
    assertMiss(await get(dataKey, asksFetch({ tags: [tag] })), 'the fetch after the deadline');
  },
  async 'what is set after a mark with a deadline outlives the deadline'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await revalidateTag([tag], { expire: 10 });
    await set(key, tagged(tag), sets('APP_PAGE', { revalidate: 600, expire: 31536000 }));
    advance(11000);
    const answer = await get(key, asks('APP_PAGE'));
    assert.ok(!isMiss(answer), 'it died');
    assert.equal(answer.cacheControl.revalidate, 600);
  },
  async 'stale without a deadline stays servable'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE', { revalidate: 600, expire: 31536000 }));
    await revalidateTag([tag], { expire: undefined });
    advance(100000);
    assertStale(await get(key, asks('APP_PAGE')));
  },
  async 'a page that never ages can be stale by a mark'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE', { revalidate: false, expire: undefined }));
    await revalidateTag([tag], { expire: 31536000 });
    assertStale(await get(key, asks('APP_PAGE')));
  },
  async 'expire 0 is dead now'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE'));
    await revalidateTag([tag], { expire: 0 });
    assertMiss(await get(key, asks('APP_PAGE')));
  },
  async '"dead in a year" does not hide "dead now", nor the other way round'() {
    const [first, second] = [fresh('tag'), fresh('tag')];
    const keys = [pageKey(), pageKey()];
    await set(keys[0], tagged(first), sets('APP_PAGE'));
    await set(keys[1], tagged(second), sets('APP_PAGE'));
    await revalidateTag([first], { expire: 31536000 });
    await revalidateTag([first], undefined);
    await revalidateTag([second], undefined);
    await revalidateTag([second], { expire: 31536000 });
    assertMiss(await get(keys[0], asks('APP_PAGE')), 'dead in a year, then now');
    assertMiss(await get(keys[1], asks('APP_PAGE')), 'now, then dead in a year');
  },
  async 'a deadline that has passed is not undone by a later one'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE'));
    await revalidateTag([tag], { expire: 1 });
    advance(2000);
    await revalidateTag([tag], { expire: 31536000 });
    assertMiss(await get(key, asks('APP_PAGE')));
  },
  async 'a later deadline does not put off an earlier one'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE'));
    await revalidateTag([tag], { expire: 2 });
    await revalidateTag([tag], { expire: 31536000 });
    advance(3000);
    assertMiss(await get(key, asks('APP_PAGE')));
  },
  async 'what was rendered before a mark and set after it is dead'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    const handler = instance();
    await handler.get(key, asks('APP_PAGE'));
    await revalidateTag([tag], undefined);
    await handler.set(key, tagged(tag), sets('APP_PAGE'));
    assertMiss(await get(key, asks('APP_PAGE')));
  },
  async 'tags of every script are marked as they are written'() {
    for (const tag of ['tägÜ', '世界', 'with space', 't%C3%A4g', '😀']) {
      const key = fetchKey();
      await set(key, fetched(), setsFetch([tag]));
      await revalidateTag([tag], undefined);
      assertMiss(await get(key, asksFetch({ tags: [tag] })), tag);
    }
  },
  async 'a mark reaches a tag in its other spelling'() {
    const key = pageKey();
    await set(key, tagged('_N_T_/u/h%C3%A9llo%20w'), sets('APP_PAGE'));
    await revalidateTag(['_N_T_/u/héllo w'], undefined);
    assertMiss(await get(key, asks('APP_PAGE')));
  },

  // Concurrency
  async 'of sets that are not awaited the last one wins'() {
    const key = pageKey();
    await Promise.all(Array.from({ length: 50 }, (_, i) => set(key, page({ html: `${i}` }), sets('APP_PAGE'))));
    assert.equal((await get(key, asks('APP_PAGE'))).value.html, '49');
  },
  async 'a hundred gets of one key at once'() {
    const key = pageKey();
    await set(key, page(), sets('APP_PAGE'));
    const answers = await Promise.all(Array.from({ length: 100 }, () => get(key, asks('APP_PAGE'))));
    for (const { value } of answers) assert.deepStrictEqual(value, page());
  },
  async 'what get returned can be set again'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE', { revalidate: 1, expire: 31536000 }));
    advance(2000);
    const { value } = await get(key, asks('APP_PAGE'));
    await set(key, value, sets('APP_PAGE', { revalidate: 3, expire: 31536000 }));
    const answer = await get(key, asks('APP_PAGE'));
    assert.deepStrictEqual(answer.value, tagged(tag));
    await revalidateTag([tag], undefined);
    assertMiss(await get(key, asks('APP_PAGE')), 'the retained entry after a mark');
  },

  // Plural
  async 'plural: every method that 15 and 16 call is there'() {
    for (const method of ['get', 'set', 'refreshTags', 'getExpiration', 'updateTags', 'expireTags']) {
      assert.equal(typeof plural[method], 'function', method);
    }
    await plural.refreshTags();
  },
  async 'plural: every field and byte comes back, each time as a new stream'() {
    const key = useCacheKey();
    const bytes = Uint8Array.from({ length: 100000 }, (_, i) => i % 251);
    const given = { tags: ['h%C3%A9llo tag', 'b'], stale: 300, timestamp: clockNow() - 0.0322265625, expire: 4294967294, revalidate: 900 };
    await setEntry(key, entryOf(given, [bytes.subarray(0, 7), bytes.subarray(7, 8), bytes.subarray(8)]));
    for (let reader = 0; reader < 3; reader++) {
      const { value, ...rest } = await plural.get(key, []);
      assert.ok(value instanceof ReadableStream);
      assert.deepStrictEqual(rest, given);
      assert.deepStrictEqual(new Uint8Array(await new Response(value).arrayBuffer()), bytes);
    }
  },
  async 'plural: chunks are Uint8Arrays and a reader cannot spoil the next one'() {
    const key = useCacheKey();
    await setEntry(key, entryOf());
    for await (const chunk of (await plural.get(key, [])).value) {
      assert.ok(chunk instanceof Uint8Array);
      chunk.fill(0);
    }
    assert.equal(await textOf(await plural.get(key, [])), 'hello');
  },
  async 'plural: a stream that is read twice at once'() {
    const key = useCacheKey();
    await setEntry(key, entryOf());
    const [one, two] = await Promise.all([plural.get(key, []), plural.get(key, [])]);
    assert.deepEqual(await Promise.all([textOf(one), textOf(two)]), ['hello', 'hello']);
  },
  async 'plural: a rejected entry is dropped and set resolves'() {
    const key = useCacheKey();
    await assert.doesNotReject(async () => plural.set(key, Promise.reject(new Error('boom'))));
    assert.strictEqual(await plural.get(key, []), undefined);
  },
  async 'plural: a stream that breaks is dropped, from its first byte to its last'() {
    for (const chunksBefore of [0, 1, 5]) {
      const key = useCacheKey();
      await assert.doesNotReject(async () => setEntry(key, entryOf({ value: brokenStream(chunksBefore) })));
      assert.strictEqual(await plural.get(key, []), undefined);
    }
  },
  async 'plural: a rejected set does not take the old entry with it, nor make it look new'() {
    const key = useCacheKey();
    const entry = entryOf();
    await setEntry(key, entry);
    await plural.set(key, Promise.reject(new Error('boom'))).catch(() => {});
    const answer = await plural.get(key, []);
    assert.ok(answer === undefined || answer.timestamp === entry.timestamp);
  },
  async 'plural: get waits for a set under way'() {
    const key = useCacheKey();
    let resolve;
    const done = plural.set(key, new Promise((settle) => (resolve = settle)));
    const answer = plural.get(key, []);
    let early = true;
    answer.then(() => early && assert.fail('get did not wait'));
    await new Promise((tick) => setImmediate(tick));
    early = false;
    resolve(entryOf());
    assert.equal(await textOf(await answer), 'hello');
    await done;
  },
  async 'plural: get waits no longer when the set under way fails'() {
    const key = useCacheKey();
    let reject;
    const done = plural.set(key, new Promise((_, settle) => (reject = settle)));
    const answer = plural.get(key, []);
    reject(new Error('boom'));
    assert.strictEqual(await answer, undefined);
    await assert.doesNotReject(done);
  },
  async 'plural: entries with expire 0 are not kept'() {
    const key = useCacheKey();
    await setEntry(key, entryOf({ stale: 0, revalidate: 0, expire: 0 }));
    assert.strictEqual(await plural.get(key, []), undefined);
  },
  async 'plural: an entry past its expire is a miss, one past its revalidate is not'() {
    const key = useCacheKey();
    await setEntry(key, entryOf({ revalidate: 1, expire: 10 }));
    advance(3000);
    assert.ok(!isMiss(await plural.get(key, [])));
    advance(10000);
    assert.strictEqual(await plural.get(key, []), undefined);
  },
  async 'plural: a mark of an own tag kills, in the calls of 15 and of 16'() {
    const of16 = [(tag) => plural.updateTags([tag]), (tag) => plural.updateTags([tag], undefined)];
    const of15 = [(tag) => plural.expireTags(tag), (tag) => plural.expireTags('x', tag)];
    for (const mark of [...of16, ...of15]) {
      const [key, tag] = [useCacheKey(), fresh('tag')];
      await setEntry(key, entryOf({ tags: [tag] }));
      await mark(tag);
      assert.strictEqual(await plural.get(key, []), undefined);
    }
  },
  async 'plural: a mark with a deadline gives revalidate -1, then a miss'() {
    const [key, tag] = [useCacheKey(), fresh('tag')];
    await setEntry(key, entryOf({ tags: [tag] }));
    await plural.updateTags([tag], { expire: 10 });
    assert.equal((await plural.get(key, [])).revalidate, -1);
    advance(11000);
    assert.strictEqual(await plural.get(key, []), undefined);
  },
  async 'plural: a mark of a soft tag is told by get or by getExpiration'() {
    const [key, soft] = [useCacheKey(), fresh('_N_T_/soft')];
    const entry = entryOf();
    await setEntry(key, entry);
    advance(10);
    await plural.updateTags([soft]);
    const answer = await plural.get(key, [soft]);
    const expirations = [await plural.getExpiration([soft]), await plural.getExpiration(soft, 'other')];
    for (const expiration of expirations) {
      assert.equal(typeof expiration, 'number');
      assert.ok(isMiss(answer) || (expiration !== Infinity && entry.timestamp <= expiration), `getExpiration says ${expiration}`);
    }
  },
  async 'plural: marks of one interface reach the other'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE'));
    await plural.updateTags([tag]);
    assertMiss(await get(key, asks('APP_PAGE')));
    const entryKey = useCacheKey();
    await setEntry(entryKey, entryOf({ tags: [tag] }));
    await revalidateTag([tag], undefined);
    assert.strictEqual(await plural.get(entryKey, []), undefined);
  },
  async 'plural: an entry begun before a mark and set after it is dead'() {
    const [key, tag] = [useCacheKey(), fresh('tag')];
    assert.strictEqual(await plural.get(key, []), undefined);
    const begun = clockNow();
    advance(10);
    await plural.updateTags([tag]);
    await setEntry(key, entryOf({ tags: [tag], timestamp: begun }));
    assert.strictEqual(await plural.get(key, []), undefined);
  },
  async 'plural: broken keys, soft tags and marks do not throw'() {
    for (const key of [...Object.values(BROKEN_KEYS), '[1]']) {
      for (const soft of [undefined, null, 'x', [1, null], []]) await assert.doesNotReject(async () => plural.get(key, soft));
      await assert.doesNotReject(async () => setEntry(key, entryOf()));
    }
    for (const tags of [undefined, null, 'x', [], [1, null]]) {
      await assert.doesNotReject(async () => plural.updateTags(tags));
      await assert.doesNotReject(async () => plural.getExpiration(tags));
    }
    for (const entry of [undefined, null, {}, 7, entryOf({ value: null }), entryOf({ tags: undefined }), entryOf({ timestamp: NaN })]) {
      await assert.doesNotReject(async () => plural.set(useCacheKey(), Promise.resolve(entry)));
      await assert.doesNotReject(async () => plural.set(useCacheKey(), entry));
    }
  },
};

// ---- little room: what was handed out stays whole ------------------------------------

const littleRoom = {
  async 'what get returned stays whole while the cache turns over'() {
    const held = [];
    for (let i = 0; i < 400; i++) {
      const size = i % 4 === 0 ? 120000 : 3000;
      const value = page({ html: `${i}:${'x'.repeat(size)}`, rscData: Buffer.alloc(size, i % 256) });
      const key = pageKey();
      await set(key, value, sets('APP_PAGE'));
      const answer = await get(key, asks('APP_PAGE'));
      if (answer && i % 20 === 0) held.push([answer.value, value]);
      if (i % 50 === 0) globalThis.gc();
    }
    assert.ok(held.length > 10, `only ${held.length} answers to hold`);
    for (const [answer, value] of held) assert.deepStrictEqual(answer, value);
  },
  async 'a value too large for every tier replaces the old one by nothing'() {
    const key = pageKey('APP_ROUTE');
    await set(key, route({ body: Buffer.from('old') }), sets('APP_ROUTE'));
    await set(key, route({ body: Buffer.alloc(20 << 20) }), sets('APP_ROUTE'));
    const answer = await get(key, asks('APP_ROUTE'));
    assert.notEqual(answer?.value.body.toString('latin1', 0, 3), 'old');
  },
};

// ---- no directory: the cache goes on in memory -----------------------------------------

const noDirectory = {
  async 'what is set comes back'() {
    await pageComesBack(page());
    await fetchComesBack(fetched());
  },
  async 'marks are obeyed'() {
    const [key, tag] = [pageKey(), fresh('tag')];
    await set(key, tagged(tag), sets('APP_PAGE'));
    await revalidateTag([tag], undefined);
    assertMiss(await get(key, asks('APP_PAGE')));
  },
  async 'plural: what is set comes back'() {
    const key = useCacheKey();
    await setEntry(key, entryOf());
    assert.equal(await textOf(await plural.get(key, [])), 'hello');
  },
};

// ---- edge: the files must load, and do nothing -------------------------------------------

const edge = {
  async 'neither file loads the addon'() {
    const addons = Object.keys(require.cache).filter((file) => file.endsWith('.node'));
    assert.deepEqual(addons, []);
  },
  async 'the class can be made and asked, and misses'() {
    const key = pageKey();
    await set(key, page(), sets('APP_PAGE'));
    assertMiss(await get(key, asks('APP_PAGE')));
    await revalidateTag(['a'], undefined);
  },
};

const GROUPS = { usual, 'little room': littleRoom, 'no directory': noDirectory, edge };

async function main(group) {
  process.on('unhandledRejection', (error) => process.send({ name: 'no promise is left to reject', failure: String(error?.stack ?? error) }));
  Handler = load('cache-handler.js');
  plural = load('use-cache-handler.js');
  for (const [name, check] of Object.entries(GROUPS[group])) {
    let failure;
    try {
      await check();
    } catch (error) {
      failure = String(error?.stack ?? error).split('\n').slice(0, 6).join(' / ');
    }
    process.send({ name, failure });
  }
  process.disconnect();
}

main(process.argv[2]);
