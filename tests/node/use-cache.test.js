'use strict';
const assert = require('node:assert/strict');
const { beforeEach, test } = require('node:test');
const { appPage, eventually, fakeBuild, freshCache, inPackage, inRequests, pageGet, pageSet, runScript, temporaryDirectory } =
  require('./support');

const handler = inPackage('use-cache-handler.js');
const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');

const now = () => performance.timeOrigin + performance.now();

function streamOf(chunks, error) {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      if (error) controller.error(error);
      else controller.close();
    },
  });
}

const entryOf = (fields = {}, chunks = [new Uint8Array([1, 2, 3])]) => ({
  value: streamOf(chunks),
  tags: ['t'],
  stale: 300,
  expire: 4294967294,
  revalidate: 900,
  timestamp: now(),
  ...fields,
});

const put = (key, fields, chunks) => handler.set(key, Promise.resolve(entryOf(fields, chunks)));

async function bytesOf(entry) {
  return Buffer.from(await new Response(entry.value).arrayBuffer());
}

beforeEach(async () => {
  freshCache();
  await handler.refreshTags();
});

test('an entry comes back with its fields to the last bit, and a fresh stream each time', async () => {
  const chunks = [8, 7, 3000, 20000, 129].map((size, i) => new Uint8Array(size).fill(i + 1));
  const entry = entryOf({ timestamp: now() - 0.123456, future: { field: new Map([['a', undefined]]) } }, chunks);
  const { value, ...fields } = entry;
  await handler.set('k', Promise.resolve(entry));
  for (let i = 0; i < 2; i++) {
    const { value: stream, ...got } = await handler.get('k', []);
    assert.deepStrictEqual(got, fields);
    assert.deepStrictEqual(await bytesOf({ value: stream }), Buffer.concat(chunks));
  }
  assert.equal(value.locked, true, 'the stream was drained by set');
});

test('a reader that takes the bytes away, or writes into them, does so to nobody else', async () => {
  for (const size of [3, 2000, 50000, 200000]) {
    const bytes = new Uint8Array(size).fill(7);
    await put(`taken ${size}`, {}, [bytes]);
    for (let i = 0; i < 6; i++) {
      const { value } = await handler.get(`taken ${size}`, ['soft']);
      const chunk = (await value.getReader().read()).value;
      assert.deepStrictEqual(chunk, bytes);
      if (i % 2) structuredClone(chunk, { transfer: [chunk.buffer] });
      else chunk.fill(9);
    }
  }
});

/** The one chunk that an entry's stream gives. */
const chunkOf = async ({ value }) => (await value.getReader().read()).value;

/** A result as React writes it that holds 2 KB: tag T is text, o a Uint8Array. */
const flight = (tag) => Buffer.concat([Buffer.from(`1:${tag}800,`), Buffer.alloc(2048, 'x'), Buffer.from('0:"$1"\n')]);

test('bytes that are nothing but text are the same for all readers, others for none', async () => {
  for (const [tag, isShared] of [['T', true], ['o', false]]) {
    await put('result', {}, [flight(tag)]);
    const entries = []; // what is decoded is held for as long as somebody has it
    const buffers = new Set();
    await eventually(async () => {
      entries.push(await handler.get('result', ['soft']));
      const chunk = await chunkOf(entries.at(-1));
      assert.deepStrictEqual(Buffer.from(chunk), flight(tag));
      buffers.add(chunk.buffer);
      return entries.length > 4 && (!isShared || buffers.size < entries.length);
    });
    if (!isShared) assert.equal(buffers.size, entries.length);
  }
});

test('bytes of all that a reader takes away are gone until they are stored anew', async () => {
  await put('result', {}, [flight('T')]);
  for (let i = 0; i < 6; i++) {
    const entry = await handler.get('result', []);
    const chunk = await chunkOf(entry);
    assert.deepStrictEqual(Buffer.from(chunk), flight('T'));
    structuredClone(chunk, { transfer: [chunk.buffer] });
    const next = await handler.get('result', []);
    if (next) assert.deepStrictEqual(Buffer.from(await chunkOf(next)), flight('T'));
    else await put('result', {}, [flight('T')]);
    assert.ok(entry);
  }
});

test('a stream is forked as often as one likes, by as many readers', async () => {
  const text = Buffer.from('0:"text"\n');
  for (const bytes of [text, Buffer.from([1, 2, 3])]) {
    await put('forked', {}, [bytes]);
    for (let i = 0; i < 3; i++) {
      const { value } = await handler.get('forked', []);
      let rest = value;
      for (let fork = 0; fork < 3; fork++) {
        const [one, another] = rest.tee();
        assert.ok(one instanceof ReadableStream && another instanceof ReadableStream && one !== another);
        assert.deepStrictEqual(await bytesOf({ value: one }), bytes);
        rest = another;
      }
      const reader = rest.getReader();
      assert.throws(() => rest.tee(), TypeError, 'locked');
      assert.deepStrictEqual(Buffer.from((await reader.read()).value), bytes);
      reader.releaseLock();
      for (const branch of rest.tee()) assert.equal((await bytesOf({ value: branch })).length, 0, 'what was read is not read again');
      const [left, right] = (await handler.get('forked', [])).value.tee();
      await left.cancel();
      for (const branch of left.tee()) assert.equal((await bytesOf({ value: branch })).length, 0, 'cancelled');
      assert.deepStrictEqual(await bytesOf({ value: right }), bytes, 'not by the other');
    }
  }
});

test('an answer is given again only to the same tags, and until one is marked', async () => {
  await put('again', {}, [new Uint8Array([1])]);
  for (let i = 0; i < 4; i++) assert.ok(await handler.get('again', ['soft']));
  await handler.updateTags(['other'], undefined);
  for (let i = 0; i < 4; i++) assert.ok(await handler.get('again', ['soft']));
  assert.equal(await handler.get('again', ['other', 'soft']), undefined, 'its soft tag was marked after its birth');
  await handler.updateTags(['soft'], { expire: 3600 });
  assert.equal((await handler.get('again', ['soft'])).revalidate, -1);
  assert.equal((await handler.get('again', [])).revalidate, 900);
  await put('again', {}, [new Uint8Array([2])]);
  for (let i = 0; i < 4; i++) assert.deepStrictEqual([...(await bytesOf(await handler.get('again', ['soft'])))], [2]);
  await handler.updateTags(['t'], undefined);
  assert.equal(await handler.get('again', ['soft']), undefined);
});

test('large entries come back, several times at once', async () => {
  const bytes = new Uint8Array(700000).map((_, i) => i * 7);
  await put('k', {}, [bytes.subarray(0, 300000), bytes.subarray(300000)]);
  const entries = await Promise.all([handler.get('k', []), handler.get('k', []), handler.get('k', [])]);
  for (const entry of entries) assert.ok((await bytesOf(entry)).equals(Buffer.from(bytes)));
});

test('what is absent is undefined', async () => {
  assert.equal(await handler.get('nothing', []), undefined);
});

test('an entry dies by its own tag and by a soft tag', async () => {
  await put('k');
  await handler.updateTags(['t']);
  assert.equal(await handler.get('k', []), undefined);
  await handler.refreshTags();
  await put('k');
  await handler.updateTags(['_N_T_/page']);
  assert.equal(await handler.get('k', ['_N_T_/page']), undefined);
  assert.ok(await handler.get('k', ['_N_T_/other']));
});

test('an entry stale by tag is served with revalidate -1', async () => {
  await put('k');
  await handler.updateTags(['t'], { expire: 3600 });
  const entry = await handler.get('k', []);
  assert.equal(entry.revalidate, -1);
  assert.equal(entry.expire, 4294967294);
  await handler.refreshTags();
  await put('k');
  assert.equal((await handler.get('k', [])).revalidate, 900);
});

test('the interface of Next 16', async () => {
  assert.equal(await handler.getExpiration(['a', 'b']), Infinity);
  await put('k');
  await handler.updateTags(['t']);
  assert.equal(await handler.get('k', []), undefined);
});

test('the interface of Next 15', async () => {
  assert.equal(await handler.getExpiration('a', 'b'), Infinity);
  for (const call of [() => handler.expireTags('x', 't'), () => handler.expireTags(['x', 't'])]) {
    await handler.refreshTags();
    await put('k');
    await call();
    assert.equal(await handler.get('k', []), undefined);
  }
});

test('an entry that expires at once is not stored; one of a future lifetime is', async () => {
  await put('dynamic');
  await put('dynamic', { stale: 0, revalidate: 0, expire: 0 });
  assert.ok(await handler.get('dynamic', []), 'nor does it remove what is there');
  await put('short', { stale: 30, revalidate: 1, expire: 60 });
  assert.ok(await handler.get('short', []));
  assert.equal(nextcache.stats().puts.useCache, 2);
});

test('an entry past its expire is gone', async () => {
  await put('k', { timestamp: now() - 61000, revalidate: 1, expire: 60 });
  assert.equal(await handler.get('k', []), undefined);
});

test('a function that throws leaves nothing behind, and the old entry in place', async () => {
  await put('k');
  await handler.set('k', Promise.reject(new Error('thrown by the function')));
  await handler.set('k', Promise.resolve(entryOf({ value: streamOf([new Uint8Array(10)], new Error('mid-way')) })));
  assert.deepStrictEqual([...(await bytesOf(await handler.get('k', [])))], [1, 2, 3]);
  assert.equal(nextcache.stats().puts.useCache, 1);
});

test('a get waits for a set of its key that is under way', async () => {
  let resolve;
  const set = handler.set('k', new Promise((settle) => (resolve = settle)));
  let answered = false;
  const get = handler.get('k', []).finally(() => (answered = true));
  await new Promise((settle) => setTimeout(settle, 20));
  assert.equal(answered, false);
  resolve(entryOf());
  await set;
  assert.ok(await get);
});

test('what was generated before an invalidation and stored after it is not served', async () => {
  const entry = entryOf();
  await handler.updateTags(['t']);
  await handler.set('k', Promise.resolve(entry));
  assert.equal(await handler.get('k', []), undefined);
  assert.equal(nextcache.stats().bornDead, 1);
});

test('a generation that began before this process looked is judged by wall time', async () => {
  await put('old', { timestamp: now() - 3600000 });
  assert.ok(await handler.get('old', []), 'no mark came since');
  await handler.updateTags(['marked']);
  await put('old', { tags: ['marked'], timestamp: now() - 3600000 });
  assert.equal(await handler.get('old', []), undefined);
});

test('pages made from a result that was born dead are born with it', async () => {
  const serverDistDir = fakeBuild();
  const request = () => new CacheHandler({ serverDistDir });
  const PAGE = '/route-cache/APP_PAGE/0/$/page';
  for (const order of ['page first', 'result first']) {
    await handler.refreshTags();
    const result = entryOf({ tags: ['shop'] }); // the generation begins …
    await handler.updateTags(['shop']); // … is overtaken …
    const page = request();
    await page.get(PAGE, pageGet()); // … and joined by a page that begins later
    if (order === 'page first') await page.set(PAGE, appPage(['shop']), pageSet());
    await handler.set(`r ${order}`, Promise.resolve(result));
    if (order === 'result first') await page.set(PAGE, appPage(['shop']), pageSet());
    assert.equal(await request().get(PAGE, pageGet()), null, order);
    // A page that began when all this was over is fine.
    await new Promise((settle) => setTimeout(settle, 5));
    const later = request();
    await later.get(PAGE, pageGet());
    await later.set(PAGE, appPage(['shop']), pageSet());
    assert.ok(await request().get(PAGE, pageGet()), order);
  }
});

test('a page without the tag of a dead result is left alone', async () => {
  const serverDistDir = fakeBuild();
  const PAGE = '/route-cache/APP_PAGE/0/$/page';
  const result = entryOf({ tags: ['shop'] });
  await handler.updateTags(['shop']);
  const page = new CacheHandler({ serverDistDir });
  await page.get(PAGE, pageGet());
  await page.set(PAGE, appPage(['blog']), pageSet());
  await handler.set('r', Promise.resolve(result));
  assert.ok(await new CacheHandler({ serverDistDir }).get(PAGE, pageGet()));
});

test('a result that contains one that was overtaken is as old as that', async () => {
  for (const [durations, order] of [[undefined, 'inside first'], [undefined, 'outside first'], [{ expire: 3600 }, 'inside first']]) {
    freshCache();
    await handler.refreshTags();
    const inside = entryOf({ tags: ['shop'] }); // the generation begins …
    await handler.updateTags(['shop'], durations); // … is overtaken …
    await handler.refreshTags();
    const outside = entryOf({ tags: ['list', 'shop'] }); // … and joined by another one, which begins later
    const beside = entryOf({ tags: ['list'] });
    const sets = [() => handler.set('inside', Promise.resolve(inside)), () => handler.set('outside', Promise.resolve(outside))];
    if (order === 'outside first') sets.reverse();
    for (const set of sets) await set();
    await handler.set('beside', Promise.resolve(beside));
    const found = await handler.get('outside', []);
    if (durations) assert.equal(found.revalidate, -1, 'stale, and dead at the deadline');
    else assert.equal(found, undefined, order);
    assert.equal((await handler.get('beside', [])).revalidate, 900, 'without the tag it cannot contain it');
  }
});

test('what an overtaken result has spoiled spoils nothing else', async () => {
  const overtaken = entryOf({ tags: ['shop'] });
  await handler.updateTags(['shop']);
  await handler.refreshTags();
  const spoiled = entryOf({ tags: ['shop'] });
  await handler.set('overtaken', Promise.resolve(overtaken));
  await new Promise((settle) => setTimeout(settle, 5));
  const next = entryOf({ tags: ['shop'] });
  await handler.set('spoiled', Promise.resolve(spoiled));
  await handler.set('next', Promise.resolve(next));
  assert.equal(await handler.get('spoiled', []), undefined);
  assert.ok(await handler.get('next', []));
});

test('a result is as old as what its request had been given before', async (t) => {
  const run = inRequests(t);
  const reads = {
    'that was fresh': () => put('inside', { tags: ['shop'] }),
    'that was made by the request': () => {},
    'that was stale': async () => {
      await put('inside', { tags: ['shop'] });
      await handler.updateTags(['shop'], { expire: 3600 });
      await handler.refreshTags();
    },
  };
  for (const [which, prepare] of Object.entries(reads)) {
    freshCache();
    await handler.refreshTags();
    await prepare();
    await run(async () => {
      if (!(await handler.get('inside', []))) await put('inside', { tags: ['shop'] });
      if (which !== 'that was stale') await handler.updateTags(['shop']);
      await handler.refreshTags();
      // From here on Next answers a get of 'inside' itself.
      await put('outside', { tags: ['shop', 'list'] });
      await put('beside', { tags: ['list'] });
    });
    const found = await handler.get('outside', []);
    if (which === 'that was stale') assert.equal(found.revalidate, -1, which);
    else assert.equal(found, undefined, which);
    assert.ok(await handler.get('beside', []), which);
    await run(() => put('outside', { tags: ['shop', 'list'] }));
    assert.ok(await handler.get('outside', []), 'another request has not been given it');
  }
});

test('marks of the one interface are seen by the other', async () => {
  await put('k');
  await new CacheHandler({ serverDistDir: fakeBuild() }).revalidateTag(['t']);
  assert.equal(await handler.get('k', []), undefined);
});

test('streams are not kept: neither the stream nor the entry of a set outlives it', async () => {
  if (!global.gc) {
    const v8 = require('node:v8');
    v8.setFlagsFromString('--expose-gc');
    global.gc = require('node:vm').runInNewContext('gc');
  }
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  for (let i = 0; i < 50; i++) {
    const entry = entryOf({}, [new Uint8Array(1000)]);
    registry.register(entry.value, i);
    registry.register(entry, i);
    await handler.set(`k${i}`, Promise.resolve(entry));
  }
  await eventually(() => {
    global.gc();
    return collected >= 90;
  });
});

// In a child: 100 000 gets and sets, and a quarter of them of the other interface,
// too; the heap is measured after the first tenth and at the end.
const HEAVY = `
  const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
  const useCache = require(process.env.NXC_PACKAGE + '/use-cache-handler.js');
  const ROUNDS = 100000;
  const fields = { tags: ['t'], stale: 300, revalidate: 900, expire: 3600 };
  const bytes = new Uint8Array(500);
  const stream = () => new ReadableStream({ start(c) { c.enqueue(bytes); c.close(); } });
  const data = { headers: {}, body: 'x'.repeat(500), status: 200, url: '' };
  const settle = () => new Promise((resolve) => setTimeout(resolve, 50));
  async function heap() {
    for (let i = 0; i < 4; i++) { global.gc(); await settle(); }
    return process.memoryUsage().heapUsed;
  }
  async function roundOfFetches(key) {
    const handler = new CacheHandler({});
    await handler.get(key, { kind: 'FETCH', revalidate: 60, tags: ['t'], softTags: [] });
    await handler.set(key, { kind: 'FETCH', data, revalidate: 60 }, { fetchCache: true, tags: ['t'] });
  }
  async function round(i) {
    const key = 'k' + (i % 500);
    await useCache.set(key, Promise.resolve({ ...fields, timestamp: performance.timeOrigin + performance.now(), value: stream() }));
    const entry = await useCache.get(key, ['soft' + (i % 100)]);
    const reader = entry.value.getReader();
    while (!(await reader.read()).done);
    if (i % 4 === 0) await roundOfFetches((i % 500).toString(16).padStart(64, '0'));
    if (i % 1000 === 0) await useCache.updateTags(['unrelated' + i]);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  (async () => {
    await useCache.refreshTags();
    let i = 0;
    for (; i < ROUNDS / 10; i++) await round(i);
    const before = await heap();
    for (; i < ROUNDS; i++) await round(i);
    console.log(JSON.stringify({ grown: (await heap()) - before }));
  })();`;

test('100 000 gets and sets do not make the JavaScript heap grow', async () => {
  const dir = temporaryDirectory();
  const env = { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' };
  const { stdout, stderr } = await runScript(HEAVY, { env, cwd: dir, args: ['--expose-gc'], patienceMs: 240000 });
  const { grown } = JSON.parse(stdout || '{}');
  assert.ok(grown < 1.5e6, `grown by ${grown} bytes ${stderr}`);
});
