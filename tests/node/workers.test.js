'use strict';
// worker_threads: one environment each, in one process.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { PACKAGE, fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, runScript, temporaryDirectory } =
  require('./support');

const CacheHandler = inPackage('cache-handler.js');

const CODE = `
  const { parentPort, workerData } = require('node:worker_threads');
  process.env.NEXT_CACHE_DIR = workerData.dir;
  process.env.NEXT_CACHE_MAX_DISK_SIZE = '16MB';
  const CacheHandler = require(workerData.package + '/cache-handler.js');
  const value = (body) => ({ kind: 'FETCH', data: { headers: {}, body, status: 200, url: '' }, revalidate: 3600 });
`;

const start = (dir, code, data = {}) =>
  new Worker(CODE + code, { eval: true, workerData: { dir, package: PACKAGE, ...data } });

const ended = (worker) =>
  new Promise((resolve, reject) => {
    worker.on('exit', resolve);
    worker.on('error', reject);
  });

test('workers and the main thread share one cache', async () => {
  const dir = freshCache();
  const key = fetchKey('w');
  await new CacheHandler({}).set(key, fetchValue('from main'), fetchSet(['t']));
  const worker = start(
    dir,
    `(async () => {
      const found = await new CacheHandler({}).get(workerData.key, { kind: 'FETCH', tags: ['t'], revalidate: 3600 });
      await new CacheHandler({}).set(workerData.key2, value('from worker'), { fetchCache: true, tags: ['t'] });
      parentPort.postMessage(found?.value.data.body);
    })()`,
    { key, key2: fetchKey('w2') },
  );
  const body = new Promise((resolve) => worker.once('message', resolve));
  assert.equal(await ended(worker), 0);
  assert.equal(await body, 'from main');
  assert.equal((await new CacheHandler({}).get(fetchKey('w2'), fetchGet(['t']))).value.data.body, 'from worker');
  await new CacheHandler({}).revalidateTag('t');
  assert.equal(await new CacheHandler({}).get(fetchKey('w2'), fetchGet(['t'])), null);
});

test('many workers at once', async () => {
  const dir = freshCache();
  const workers = Array.from({ length: 6 }, (_, id) =>
    start(
      dir,
      `(async () => {
        for (let i = 0; i < 100; i++) {
          const key = ((i * 7 + workerData.id) % 20).toString(16).padStart(64, '0');
          const found = await new CacheHandler({}).get(key, { kind: 'FETCH', tags: [], revalidate: 3600 });
          if (found && found.value.data.body !== key.repeat(20)) throw new Error('wrong body');
          if (!found) await new CacheHandler({}).set(key, value(key.repeat(20)), { fetchCache: true, tags: [] });
        }
      })()`,
      { id },
    ),
  );
  assert.deepEqual(await Promise.all(workers.map(ended)), [0, 0, 0, 0, 0, 0]);
});

// In a process of its own: if the addon touched freed memory, it would crash.
test('workers that are terminated with calls in flight', async () => {
  const { code, signal, stdout, stderr } = await runScript(
    `
    const { Worker } = require('node:worker_threads');
    const code = ${JSON.stringify(CODE)} + \`
      const body = 'x'.repeat(400000);
      (async () => {
        for (;;) {
          for (let i = 0; i < 30; i++) {
            const key = i.toString(16).padStart(64, '0');
            new CacheHandler({}).set(key, value(body), { fetchCache: true, tags: ['t'] });
            new CacheHandler({}).get(key, { kind: 'FETCH', tags: ['t'], revalidate: 60 });
            new CacheHandler({}).revalidateTag(['u' + i]);
          }
          parentPort.postMessage('busy');
          await new Promise(setImmediate);
        }
      })();\`;
    (async () => {
      for (let round = 0; round < 25; round++) {
        const worker = new Worker(code, { eval: true, workerData: { dir: process.env.DIR, package: process.env.NXC_PACKAGE } });
        await new Promise((resolve) => worker.once('message', resolve));
        await new Promise((resolve) => setTimeout(resolve, round % 5));
        await worker.terminate();
      }
      console.log('survived');
    })();`,
    { env: { DIR: temporaryDirectory() } },
  );
  assert.deepEqual([code, signal, stdout], [0, null, 'survived\n'], stderr);
});

test('a worker that ends while it holds shared Buffers and strings', async () => {
  const { code, signal, stderr } = await runScript(
    `
    const { Worker } = require('node:worker_threads');
    const code = ${JSON.stringify(CODE)} + \`
      (async () => {
        const key = '0'.repeat(64);
        await new CacheHandler({}).set(key, value('x'.repeat(200000)), { fetchCache: true, tags: [] });
        globalThis.held = [];
        for (let i = 0; i < 10; i++) held.push(await new CacheHandler({}).get(key, { kind: 'FETCH', tags: [], revalidate: 60 }));
        const page = { kind: 'IMAGE', buffer: Buffer.alloc(300000) };
        await new CacheHandler({}).set('i', page, { kind: 'IMAGE', cacheControl: { revalidate: 60 } });
        for (let i = 0; i < 10; i++) held.push(await new CacheHandler({}).get('i', { kind: 'IMAGE' }));
        parentPort.postMessage('held');
        if (workerData.stay) setInterval(() => {}, 1000);
      })();\`;
    (async () => {
      for (let round = 0; round < 20; round++) {
        const stay = round % 2 === 0;
        const worker = new Worker(code, { eval: true, workerData: { dir: process.env.DIR, package: process.env.NXC_PACKAGE, stay } });
        await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
        if (stay) await worker.terminate();
        else await new Promise((resolve) => worker.once('exit', resolve));
      }
    })();`,
    { env: { DIR: temporaryDirectory() } },
  );
  assert.deepEqual([code, signal, stderr], [0, null, '']);
});
