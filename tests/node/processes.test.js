'use strict';
// Several processes on one directory, and processes that end in every way.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { fork } = require('node:child_process');
const path = require('node:path');
const fs = require('node:fs');
const { PACKAGE, eventually, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, runScript, temporaryDirectory } =
  require('./support');

const CacheHandler = inPackage('cache-handler.js');
const useCache = inPackage('use-cache-handler.js');
const KEY = fetchKey('shared');
const PRELUDE = `
  const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
  const useCache = require(process.env.NXC_PACKAGE + '/use-cache-handler.js');
  const nextcache = require(process.env.NXC_PACKAGE);
  const KEY = ${JSON.stringify(KEY)};
  const get = ${JSON.stringify(fetchGet(['t']))};
  const value = (body) => ({ kind: 'FETCH', data: { headers: {}, body, status: 200, url: '' }, revalidate: 3600 });
  const set = ${JSON.stringify(fetchSet(['t']))};
`;
const sharing = (dir) => ({ env: { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' }, cwd: dir });

/** A second process that obeys orders over IPC. */
async function otherProcess(dir) {
  const file = path.join(dir, 'other.js');
  fs.writeFileSync(
    file,
    `${PRELUDE}
    const now = () => performance.timeOrigin + performance.now();
    const orders = {
      get: async () => (await new CacheHandler({}).get(KEY, get))?.value.data.body,
      staleAge: async () => now() - (await new CacheHandler({}).get(KEY, get)).lastModified,
      set: (body) => new CacheHandler({}).set(KEY, value(body), set),
      mark: (durations) => new CacheHandler({}).revalidateTag(['t'], durations ?? undefined),
      useCacheGet: async () => (await useCache.get('u', []))?.revalidate ?? null,
    };
    process.on('message', async ([order, argument]) => process.send([(await orders[order](argument)) ?? null]));
    process.send('ready');`,
  );
  const child = fork(file, [], { env: { ...process.env, NXC_PACKAGE: PACKAGE, ...sharing(dir).env } });
  await new Promise((resolve) => child.once('message', resolve));
  return {
    child,
    order: (...words) =>
      new Promise((resolve) => {
        child.once('message', ([answer]) => resolve(answer));
        child.send(words);
      }),
  };
}

test('two processes see each other’s sets and marks at once', async () => {
  const dir = freshCache();
  const { child, order } = await otherProcess(dir);
  try {
    for (let round = 0; round < 20; round++) {
      const one = new CacheHandler({});
      await one.set(KEY, fetchValue(`here ${round}`), fetchSet(['t']));
      assert.equal(await order('get'), `here ${round}`);
      await order('set', `there ${round}`);
      assert.equal((await new CacheHandler({}).get(KEY, fetchGet(['t']))).value.data.body, `there ${round}`);
      if (round % 2) await order('mark');
      else await new CacheHandler({}).revalidateTag(['t']);
      assert.equal(await new CacheHandler({}).get(KEY, fetchGet(['t'])), null);
      assert.equal(await order('get'), null);
    }
  } finally {
    child.kill('SIGKILL');
  }
});

test('stale by a tag that another process marked', async () => {
  const dir = freshCache();
  const { child, order } = await otherProcess(dir);
  try {
    await new CacheHandler({}).set(KEY, fetchValue(), fetchSet(['t']));
    await useCache.refreshTags();
    await useCache.set('u', Promise.resolve({
      value: new Blob(['x']).stream(),
      tags: ['t'],
      stale: 300,
      revalidate: 900,
      expire: 86400,
      timestamp: performance.timeOrigin + performance.now(),
    }));
    assert.ok((await order('staleAge')) < 60000);
    assert.equal(await order('useCacheGet'), 900);
    await new CacheHandler({}).revalidateTag(['t'], { expire: 3600 });
    assert.ok((await order('staleAge')) > 3600000);
    assert.equal(await order('useCacheGet'), -1);
  } finally {
    child.kill('SIGKILL');
  }
});

test('what was set survives kill -9', async () => {
  const dir = freshCache();
  const { child, order } = await otherProcess(dir);
  await order('set', 'before the kill');
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  assert.equal((await new CacheHandler({}).get(KEY, fetchGet(['t']))).value.data.body, 'before the kill');
});

test('an open cache does not keep a process alive', async () => {
  const dir = temporaryDirectory();
  const started = performance.now();
  const { code, stderr } = await runScript(
    `${PRELUDE}
    new CacheHandler({}).set(KEY, value('x'), set).then(() => new CacheHandler({}).get(KEY, get));`,
    sharing(dir),
  );
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  assert.ok(performance.now() - started < 10000);
});

test('process.exit with sets and gets in flight is a clean end', async () => {
  const dir = temporaryDirectory();
  for (let round = 0; round < 5; round++) {
    const { code, signal, stderr } = await runScript(
      `${PRELUDE}
      const body = 'x'.repeat(300000);
      for (let i = 0; i < 200; i++) {
        const key = (i % 40).toString(16).padStart(64, '0');
        new CacheHandler({}).set(key, value(body), set);
        new CacheHandler({}).get(key, get);
        if (i % 50 === 0) nextcache.revalidateTag('t' + i);
      }
      setTimeout(() => process.exit(3), ${round});`,
      sharing(dir),
    );
    assert.deepEqual([code, signal, stderr], [3, null, '']);
  }
  freshCache({ dir });
  const entry = await new CacheHandler({}).get('0'.repeat(64), fetchGet());
  assert.ok(entry === null || entry.value.data.body.length === 300000, 'whole or absent');
});

test('an uncaught exception with calls in flight is reported as such', async () => {
  const { code, stderr } = await runScript(
    `${PRELUDE}
    for (let i = 0; i < 50; i++) new CacheHandler({}).set(KEY, value('x'.repeat(300000)), set);
    setImmediate(() => { throw new Error('of the site'); });`,
    sharing(temporaryDirectory()),
  );
  assert.equal(code, 1);
  assert.match(stderr, /of the site/);
});

test('many processes fill one directory', async () => {
  const dir = temporaryDirectory();
  const runs = Array.from({ length: 4 }, (_, id) =>
    runScript(
      `${PRELUDE}
      (async () => {
        for (let i = 0; i < 300; i++) {
          const key = (i % 30).toString(16).padStart(64, '0');
          const handler = new CacheHandler({});
          const found = await handler.get(key, get);
          if (found && found.value.data.body !== key.repeat(50)) throw new Error('wrong body');
          if (!found || i % 7 === 0) await handler.set(key, value(key.repeat(50)), set);
          if (i % 25 === ${id}) await handler.revalidateTag(['t']);
        }
        console.log('done');
      })();`,
      sharing(dir),
    ),
  );
  for (const { stdout, stderr } of await Promise.all(runs)) assert.equal(stdout, 'done\n', stderr);
});

test('the directory may be removed at any time', async () => {
  const dir = freshCache();
  await new CacheHandler({}).set(KEY, fetchValue('old'), fetchSet(['t']));
  fs.rmSync(dir, { recursive: true });
  await eventually(async () => (await new CacheHandler({}).get(KEY, fetchGet(['t']))) === null);
  await eventually(async () => {
    await new CacheHandler({}).set(KEY, fetchValue('new'), fetchSet(['t']));
    return (await new CacheHandler({}).get(KEY, fetchGet(['t'])))?.value.data.body === 'new';
  });
});

test('pages of a restart are hits', async () => {
  const dir = temporaryDirectory();
  const server = fakeBuild();
  const script = (body) => `${PRELUDE}
    const page = { kind: 'APP_ROUTE', body: Buffer.from('b'), headers: {}, status: 200 };
    const request = () => new CacheHandler({ serverDistDir: ${JSON.stringify(server)} });
    (async () => { ${body} })();`;
  await runScript(script(`await request().set('/r', page, { kind: 'APP_ROUTE', cacheControl: { revalidate: 60, expire: 600 } });`), sharing(dir));
  const { stdout, stderr } = await runScript(script(`console.log(JSON.stringify(await request().get('/r', { kind: 'APP_ROUTE' })))`), sharing(dir));
  const entry = JSON.parse(stdout || 'null');
  assert.equal(entry?.value.status, 200, stderr);
  assert.deepEqual(entry.cacheControl, { revalidate: 60, expire: 600 });
});
