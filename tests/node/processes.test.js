'use strict';
// Several processes on one directory, and processes that end in every way.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const fs = require('node:fs');
const { startPeer } = require('./peer');
const {
  appPage,
  eventually,
  fakeBuild,
  fetchGet,
  fetchKey,
  fetchSet,
  fetchValue,
  freshCache,
  inPackage,
  pageGet,
  pageSet,
  runScript,
  temporaryDirectory,
} = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const useCache = inPackage('use-cache-handler.js');
const KEY = fetchKey('shared');
const PAGE = '/route-cache/APP_PAGE/0123/$/page';
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

/** A second process on the cache of this one. */
async function otherProcess(t, options) {
  const peer = await startPeer({ dir: freshCache(), ...options });
  t.after(() => peer.stop());
  return peer;
}

test('two processes see each other’s sets and marks at once', async (t) => {
  const other = await otherProcess(t);
  const bodyThere = async () => (await other.order('get', KEY, fetchGet(['t'])))?.value.data.body;
  for (let round = 0; round < 20; round++) {
    const one = new CacheHandler({});
    await one.set(KEY, fetchValue(`here ${round}`), fetchSet(['t']));
    assert.equal(await bodyThere(), `here ${round}`);
    await other.order('set', KEY, fetchValue(`there ${round}`), fetchSet(['t']));
    assert.equal((await new CacheHandler({}).get(KEY, fetchGet(['t']))).value.data.body, `there ${round}`);
    if (round % 2) await other.order('mark', ['t']);
    else await new CacheHandler({}).revalidateTag(['t']);
    assert.equal(await new CacheHandler({}).get(KEY, fetchGet(['t'])), null);
    assert.equal(await bodyThere(), undefined);
  }
});

test('stale by a tag that another process marked', async (t) => {
  const other = await otherProcess(t);
  const now = () => performance.timeOrigin + performance.now();
  const ageThere = async () => now() - (await other.order('get', KEY, fetchGet(['t']))).lastModified;
  await new CacheHandler({}).set(KEY, fetchValue(), fetchSet(['t']));
  await useCache.refreshTags();
  await useCache.set('u', Promise.resolve({
    value: new Blob(['x']).stream(),
    tags: ['t'],
    stale: 300,
    revalidate: 900,
    expire: 86400,
    timestamp: now(),
  }));
  assert.ok((await ageThere()) < 60000);
  assert.equal((await other.order('useCacheGet', 'u')).revalidate, 900);
  await new CacheHandler({}).revalidateTag(['t'], { expire: 3600 });
  assert.ok((await ageThere()) > 3600000);
  assert.equal((await other.order('useCacheGet', 'u')).revalidate, -1);
});

test('what one process began before another’s invalidation is born before it, however late it is stored', async (t) => {
  const serverDistDir = fakeBuild();
  const other = await otherProcess(t, { serverDistDir });
  const here = () => new CacheHandler({ serverDistDir });
  const rows = [
    ['page', PAGE, pageGet(), appPage(['t']), pageSet()],
    ['fetch', KEY, fetchGet(['t']), fetchValue(), fetchSet(['t'])],
    ['fetch by a soft tag', fetchKey('soft'), fetchGet([], ['t']), fetchValue(), fetchSet()],
  ];
  for (const [what, key, ask, value, set] of rows) {
    assert.equal(await other.order('getIn', what, key, ask), null);
    await here().revalidateTag(['t']);
    await other.order('setIn', what, key, value, set);
    assert.equal(await here().get(key, ask), null, `${what}, here`);
    assert.equal(await other.order('get', key, ask), null, `${what}, there`);
    // A render that begins now is fine.
    await other.order('getIn', `${what} again`, key, ask);
    await other.order('setIn', `${what} again`, key, value, set);
    assert.ok(await here().get(key, ask), what);
  }

  assert.equal(await other.order('useCacheGet', 'u'), undefined);
  const { next } = await other.order('now');
  await useCache.updateTags(['t']);
  await other.order('useCacheSet', 'u', { tags: ['t'], timestamp: next }, 'old');
  assert.equal(await useCache.get('u', []), undefined, "'use cache'");
  await other.order('useCacheSet', 'u', { tags: ['t'] }, 'new');
  assert.ok(await useCache.get('u', []));
});

test('under load, no stored entry is older than an invalidation that had returned', async (t) => {
  const other = await otherProcess(t);
  const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const ask = fetchGet(['t']);
  let data = 0; // what a render reads when it begins
  let invalidated = 0; // the newest data whose invalidation has returned
  let hits = 0;
  let stopped = false;
  const renderThere = async (key, name) => {
    if (await other.order('getIn', name, key, ask)) return;
    const seen = data;
    await turn(1 + (seen % 5));
    await other.order('setIn', name, key, fetchValue(String(seen)), fetchSet(['t']));
  };
  const checkHere = async (key) => {
    await turn(0);
    const known = invalidated;
    const handler = new CacheHandler({});
    const found = await handler.get(key, ask);
    if (!found) return handler.set(key, fetchValue(String(data)), fetchSet(['t']));
    hits++;
    assert.ok(Number(found.value.data.body) >= known, `${found.value.data.body} after ${known}`);
    return undefined;
  };
  const loops = Array.from({ length: 4 }, async (_, i) => {
    for (let n = 0; !stopped; n++) await (i % 2 ? renderThere(fetchKey(`k${n % 3}`), `${i} ${n}`) : checkHere(fetchKey(`k${n % 3}`)));
  });
  const invalidations = (async () => {
    for (let i = 1; i <= 150; i++) {
      await turn(5);
      data = i;
      await (i % 2 ? new CacheHandler({}).revalidateTag(['t']) : other.order('mark', ['t']));
      invalidated = i;
    }
  })();
  await Promise.race([invalidations, ...loops]);
  stopped = true;
  await Promise.all(loops);
  assert.ok(hits > 20, `${hits} hits`);
});

test('what was set survives kill -9', async (t) => {
  const other = await otherProcess(t);
  await other.order('set', KEY, fetchValue('before the kill'), fetchSet(['t']));
  await other.stop();
  assert.equal((await new CacheHandler({}).get(KEY, fetchGet(['t']))).value.data.body, 'before the kill');
});

test('an open cache does not keep a process alive', async () => {
  const dir = temporaryDirectory();
  const { code, stderr } = await runScript(
    `${PRELUDE}
    new CacheHandler({}).set(KEY, value('x'), set).then(() => new CacheHandler({}).get(KEY, get));`,
    sharing(dir),
  );
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
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
