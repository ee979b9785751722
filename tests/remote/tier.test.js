'use strict';
// What the shared tier is for: what one machine made, the others serve; what one
// invalidated, none serves.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { appPage, fakeBuild, pageGet, pageSet, eventually } = require('../node/support');
const { agreed, get, kept, mark, ready, set, settled } = require('./lib/fetches');
const { startPod, stopPods } = require('./lib/peer');
const { startServer, stopServers } = require('./lib/server');

let server;
let a;
let b;

before(async () => {
  server = await startServer();
  // What is fast enough is another file's question; machines that test are slow at times.
  server.url += '?getMs=1000&connectMs=2000';
  [a, b] = await Promise.all([startPod({ url: server.url }), startPod({ url: server.url })]);
  await ready(a, b);
});

after(async () => {
  await stopPods();
  await stopServers();
});

test('what one has made, the other serves, and has from then on', async () => {
  assert.equal(await get(a, 'one'), null);
  await set(a, 'one', 'made by a', ['t1']);
  await settled(a);
  assert.equal(await get(b, 'one', ['t1']), 'made by a');
  const { gets } = await b.stats();
  assert.equal(await get(b, 'one', ['t1']), 'made by a');
  assert.equal((await b.stats()).gets, gets, 'the second time it is in memory');
});

test('every size and kind of bytes comes back as it was', async () => {
  for (const length of [0, 1, 2047, 5000, 200000]) {
    const body = Buffer.alloc(length, 'abcdefghé\u{1F600}').toString();
    await set(a, `size ${length}`, body);
    await settled(a);
    assert.equal(await get(b, `size ${length}`), body, String(length));
  }
});

test('text that compresses is stored compressed, and every key expires', async () => {
  await set(a, 'large', 'x'.repeat(100000));
  await settled(a);
  const names = (await server.ask('KEYS', 'nextcache:e:*')).match(/nextcache:e:\S+/g);
  let smallest = Infinity;
  for (const name of names) {
    assert.ok(Number((await server.ask('PTTL', name)).slice(1)) > 0, `${name} expires`);
    smallest = Math.min(smallest, Number((await server.ask('STRLEN', name)).slice(1)));
  }
  assert.ok(smallest < 1000);
});

test('what one has invalidated, none serves once that has returned', async () => {
  await set(a, 'two', 'old', ['t2']);
  await settled(a);
  assert.equal(await get(b, 'two', ['t2']), 'old');
  await mark(a, 't2');
  await agreed(b, a);
  assert.equal(await get(a, 'two', ['t2']), null);
  assert.equal(await get(b, 'two', ['t2']), null);
  await set(b, 'two', 'new', ['t2']);
  await settled(b);
  assert.equal(await get(a, 'two', ['t2']), 'new');
});

test('what the invalidating machine renders next is served by the others', async () => {
  await mark(a, 't3');
  await set(a, 'three', 'fresh', ['t3']);
  await settled(a);
  assert.equal(await get(b, 'three', ['t3']), 'fresh');
});

test('soft tags are judged as tags, also by marks from elsewhere', async () => {
  await set(a, 'soft', 'value', ['t4']);
  await settled(a);
  await mark(b, '_N_T_/page');
  await agreed(a, b);
  assert.equal(await get(b, 'soft', ['t4'], ['_N_T_/other']), 'value');
  assert.equal(await get(b, 'soft', ['t4'], ['_N_T_/page']), null);
  assert.equal(await get(a, 'soft', ['t4'], ['_N_T_/page']), null);
});

test('stale with a deadline is stale everywhere, and dead when it has passed', async () => {
  const fetched = (pod) => pod.run(({ engine, key }) => {
    const found = engine().getStored(`f:${key('stale')}`, 3, []);
    return Promise.resolve(found).then(({ result }) => result);
  });
  await set(a, 'stale', 'value', ['t5']);
  await settled(a);
  const late = await startPod({ url: server.url });
  await mark(a, 't5', { expire: 4 });
  await agreed(late, a);
  assert.equal(await fetched(late), 1, 'an entry that is only on the server is stale, too');
  await eventually(async () => (await fetched(late)) === 2 && (await fetched(a)) === 2);
  await late.stop();
});

test('content that was begun before an invalidation is not shared as new', async () => {
  await a.run(async ({ handler, key, asked, state }) => {
    state.slow = handler();
    await state.slow.get(key('slow'), asked(['t6']));
  });
  await mark(b, 't6');
  await agreed(a, b);
  await a.run(({ key, value, setting, state }) => state.slow.set(key('slow'), value('from before'), setting(['t6'])));
  await settled(a);
  assert.equal(await get(b, 'slow', ['t6']), null);
});

test('the same for a soft tag, which the entry itself does not know', async () => {
  await a.run(async ({ handler, key, asked, state }) => {
    state.slow = handler();
    await state.slow.get(key('slow soft'), asked(['t18']));
  });
  await mark(b, '_N_T_/slow');
  await agreed(a, b);
  await a.run(({ key, value, setting, state }) => state.slow.set(key('slow soft'), value('from before'), setting(['t18'])));
  await settled(a);
  assert.equal(await get(b, 'slow soft', ['t18'], ['_N_T_/slow']), null);
  assert.equal(await get(b, 'slow soft', ['t18'], ['_N_T_/other']), 'from before');
});

test('a machine that starts later obeys what was invalidated before', async () => {
  await set(a, 'before', 'old', ['t7']);
  await settled(a);
  await mark(a, 't7');
  const late = await startPod({ url: server.url });
  assert.equal(await get(late, 'before', ['t7']), null);
  await set(a, 'after', 'new', ['t7']);
  await settled(a);
  assert.equal(await get(late, 'after', ['t7']), 'new');
  await late.stop();
});

test('a machine that was away replays what it has missed', async () => {
  const first = await startPod({ url: server.url });
  await ready(first);
  await set(first, 'away', 'old', ['t8']);
  await set(first, 'stays', 'kept', ['t9']);
  await settled(first);
  await kept(first);
  await first.stop();
  await mark(a, 't8');
  const again = await startPod({ url: server.url, dir: first.dir });
  assert.equal(await get(again, 'away', ['t8']), null);
  const { gets, clears } = await again.stats();
  assert.equal(clears, 0);
  assert.equal(await get(again, 'stays', ['t9']), 'kept');
  assert.equal((await again.stats()).gets, gets, 'from its own disk');
  await again.stop();
});

test('a deadline that passed while a machine was away has passed', async () => {
  const away = await startPod({ url: server.url });
  await ready(away);
  await set(away, 'deadline', 'old', ['t14']);
  await set(away, 'no deadline yet', 'old', ['t15']);
  await settled(away);
  await kept(away);
  await away.stop();
  await mark(a, 't14', { expire: 1 });
  await mark(a, 't15', { expire: 1000 });
  await a.run(({ pause }) => pause(1500));
  const look = (pod, name) => pod.run(({ engine, key }, ...x) => Promise.resolve(engine().getStored(`f:${key(x[0])}`, 3, [])).then(({ result, deadAt }) => ({ result, leftMs: deadAt - Date.now() })), name);
  for (const dir of [away.dir, undefined]) {
    const again = await startPod({ url: server.url, dir });
    await ready(again);
    assert.equal((await look(again, 'deadline')).result, 2);
    const { result, leftMs } = await look(again, 'no deadline yet');
    assert.equal(result, 1);
    assert.ok(leftMs < 999000 && leftMs > 900000, String(leftMs));
    await again.stop();
  }
});

test('a machine whose directory is removed is served by the others, and obeys what it had obeyed', async () => {
  const [one, two] = [await startPod({ url: server.url }), await startPod({ url: server.url })];
  await ready(one, two);
  await set(one, 'valid', 'value', ['t16']);
  await set(one, 'invalid', 'old', ['t17']);
  await settled(one);
  await mark(one, 't17');
  await agreed(one, two);
  await kept(two);
  fs.rmSync(two.dir, { recursive: true });
  await eventually(async () => (await get(two, 'valid', ['t16'])) === 'value');
  assert.equal(await get(two, 'invalid', ['t17']), null);
  await one.stop();
  await two.stop();
});

test('an entry of before the log is one of before, for who comes late', async () => {
  // The log of another prefix, of which the beginning has been cut off.
  const url = `${server.url}&prefix=cut`;
  const one = await startPod({ url });
  await ready(one);
  await set(one, 'ancient', 'old', ['t10']);
  await settled(one);
  await mark(one, 't10');
  for (let i = 0; i < 5; i++) await mark(one, `other ${i}`);
  await server.ask('XTRIM', 'cut:{t}:log', 'MAXLEN', '2');
  const late = await startPod({ url });
  await ready(late);
  assert.equal(await get(late, 'ancient', ['t10']), null);
  const { clears, tooOld, ...rest } = await late.stats();
  assert.ok(clears >= 1 && tooOld >= 1, JSON.stringify({ clears, tooOld, ...rest }));
  await one.stop();
  await late.stop();
});

test('invalidations of very many tags are obeyed, also by who reads them together', async () => {
  const url = `${server.url}&prefix=many`;
  const first = await startPod({ url });
  await ready(first);
  for (let times = 0; times < 2; times++) {
    await first.run(({ nextcache }) => nextcache.revalidateTag(Array.from({ length: 150000 }, (_, i) => `t${i}`)));
  }
  const second = await startPod({ url });
  await ready(second);
  assert.equal((await second.stats()).received, 2);
  await Promise.all([first.stop(), second.stop()]);
});

test("'use cache' results are shared, with the functions that they are of", async () => {
  const store = (pod, text) =>
    pod.run(async ({ useCache, nextNow }, body) => {
      await useCache.refreshTags();
      const entry = { stale: 300, revalidate: 60, expire: 3600, timestamp: nextNow(), tags: ['t11'] };
      await useCache.set('["f",[]]', Promise.resolve({ ...entry, value: new Blob([body]).stream() }));
    }, text);
  const read = (pod) =>
    pod.run(async ({ useCache }) => {
      const entry = await useCache.get('["f",[]]', []);
      return entry ? new Response(entry.value).text() : null;
    });
  assert.equal(await read(b), null);
  await store(a, 'result');
  await settled(a);
  assert.equal(await read(b), 'result');
  await b.run(({ useCache }) => useCache.updateTags(['t11']));
  await agreed(a, b);
  assert.equal(await read(a), null);
});

test('pages are of one build, on all machines of it', async () => {
  const [old, young] = [fakeBuild(undefined, 'old'), fakeBuild(undefined, 'young')];
  const setPage = (pod, dir, page, context) => pod.run(({ handler }, ...x) => handler(x[0]).set('/p', x[1], x[2]), dir, page, context);
  const getPage = (pod, dir) => pod.run(({ handler }, ...x) => handler(x[0]).get('/p', x[1]), dir, pageGet());
  await setPage(a, old, appPage(['t12'], { html: 'old build' }), pageSet());
  await settled(a);
  assert.equal((await getPage(b, old)).value.html, 'old build');
  assert.equal(await getPage(b, young), null);
  await setPage(b, young, appPage(['t12'], { html: 'young build' }), pageSet());
  await settled(b);
  assert.equal((await getPage(a, young)).value.html, 'young build');
  assert.equal((await getPage(a, old)).value.html, 'old build');
});

test('a clear is one of all machines', async () => {
  await set(a, 'cleared', 'value');
  await settled(a);
  assert.equal(await get(b, 'cleared'), 'value');
  await a.run(({ nextcache }) => nextcache.clear());
  await eventually(async () => (await get(b, 'cleared')) === null);
  await ready(a, b);
  await set(b, 'cleared', 'anew');
  await settled(b);
  assert.equal(await get(a, 'cleared'), 'anew');
});

test('a value that is too large is not shared, and its older version is gone', async () => {
  await set(a, 'huge', 'small');
  await settled(a);
  await set(a, 'huge', 'x'.repeat(5 * 2 ** 20));
  await settled(a);
  assert.equal(await get(b, 'huge'), null);
});

test('gets of one key share one read', async () => {
  await set(a, 'shared read', 'value');
  await settled(a);
  const before = (await b.stats()).gets;
  const answers = await b.run(({ handler, key, asked }) =>
    Promise.all(Array.from({ length: 50 }, () => handler().get(key('shared read'), asked()).then((found) => found?.value.data.body))));
  assert.deepEqual(new Set(answers), new Set(['value']));
  assert.equal((await b.stats()).gets, before + 1);
});

test('what is stored here right after a read is newer than what came', async () => {
  await set(a, 'overtaken', 'from a');
  await settled(a);
  const bodies = await b.run(async ({ handler, key, asked, value, setting, pause }) => {
    const read = async () => (await handler().get(key('overtaken'), asked()))?.value.data.body;
    const found = [await read()];
    await handler().set(key('overtaken'), value('from b'), setting());
    found.push(await read());
    await pause(100); // what came would have been put here by now
    return [...found, await read()];
  });
  assert.deepEqual(bodies, ['from a', 'from b', 'from b']);
});

test('of what is stored and removed together the last counts on the server, too', async () => {
  const large = 'x'.repeat(300000); // published by a worker, while this thread waits
  await a.run(async ({ handler, key, value, setting, nextcache }, body) => {
    const waited = performance.now() + 30;
    const puts = ['replaced', 'removed'].map((name) => handler().set(key(name), value(body), setting()));
    while (performance.now() < waited);
    puts.push(handler().set(key('replaced'), value('last'), setting()), nextcache.remove(`f:${key('removed')}`));
    await Promise.all(puts);
  }, large);
  await settled(a);
  const sizes = await Promise.all(['replaced', 'removed'].map(async (name) => (await get(b, name))?.length));
  assert.deepEqual(sizes, ['last'.length, undefined]);
});

test('what has just been removed is not found on the server', async () => {
  await set(a, 'to go', 'value');
  await settled(a);
  assert.equal(await get(b, 'to go'), 'value');
  const found = await b.run(async ({ handler, key, asked, nextcache }) => {
    await nextcache.remove(`f:${key('to go')}`);
    return handler().get(key('to go'), asked());
  });
  assert.equal(found, null);
});

test('the metrics of a process tell how the shared tier is', async () => {
  await set(a, 'measured', 'value');
  await settled(a);
  assert.equal(await get(b, 'measured'), 'value');
  const numbers = async (pod) => {
    const text = await pod.run(({ nextcache }) => nextcache.metrics());
    return new Map([...text.matchAll(/^nextcache_remote_(\w+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]));
  };
  const [sent, got] = [await numbers(a), await numbers(b)];
  for (const [name, value] of [['ready', 1], ['breaker_open', 0], ['behind', 0], ['unsent', 0], ['queue_bytes', 0]]) assert.equal(got.get(name), value, name);
  for (const name of ['gets_total', 'hits_total', 'received_bytes_total', 'latency_p50_seconds', 'latency_p99_seconds']) assert.ok(got.get(name) > 0, name);
  for (const name of ['puts_total', 'sent_bytes_total', 'invalidations_sent_total']) assert.ok(sent.get(name) > 0, name);
  assert.ok(got.get('unsure_seconds') < 10); // the lag: of a log that is read all the time
});

test('a build opens no connection, unless it is told to', async () => {
  const state = async (url) => {
    const builder = await startPod({ url, env: { NEXT_PHASE: 'phase-production-build' } });
    await get(builder, 'anything');
    const stats = await builder.stats();
    await builder.stop();
    return stats?.state;
  };
  assert.equal(await state(server.url), undefined);
  assert.equal(await state(`${server.url}&build`), 'ready');
});

test('a script that is done ends, and waits for its invalidation before', async () => {
  const { runScript } = require('../node/support');
  const text = `require(process.env.NXC_PACKAGE).revalidateTag('t13').then(() => console.log('done'))`;
  const { stdout, stderr, code } = await runScript(text, { env: { NEXT_CACHE_VALKEY_URL: server.url, NEXT_CACHE_DIR: fakeBuild() } });
  assert.deepEqual({ stdout, stderr, code }, { stdout: 'done\n', stderr: '', code: 0 });
});

test('a script that removes an entry and ends has removed it on the server', async () => {
  const { runScript } = require('../node/support');
  await set(a, 'script', 'value');
  await settled(a);
  const key = await a.run(({ key: keyOf }) => `f:${keyOf('script')}`);
  const text = `const nextcache = require(process.env.NXC_PACKAGE);
    nextcache.remove(process.env.KEY)`;
  await runScript(text, { env: { NEXT_CACHE_VALKEY_URL: server.url, NEXT_CACHE_DIR: fakeBuild(), KEY: key } });
  assert.equal(await get(b, 'script'), null);
});

test('what is still under way when a cache is closed does not open it again', async () => {
  const { runScript } = require('../node/support');
  // An invalidation has come and is not durable yet: its place in the log is to be saved after that.
  const text = `(async () => {
    const nextcache = require(process.env.NXC_PACKAGE);
    const { theEngine } = require(process.env.NXC_PACKAGE + '/lib/engine.js');
    const { addon } = require(process.env.NXC_PACKAGE + '/lib/addon.js');
    const until = async (holds) => { while (!holds()) await new Promise(setImmediate); };
    const stats = () => theEngine().remoteStats();
    await until(() => stats().state === 'ready');
    const now = performance.now.bind(performance);
    performance.now = () => now() + 5000; // since the last one was saved
    nextcache.revalidateTag('t14').catch(() => {});
    await until(() => stats().received > 0);
    nextcache.close();
    addon.open = () => console.log('opened');
    setTimeout(() => console.log('done'), 200);
  })()`;
  const env = { NEXT_CACHE_VALKEY_URL: `${server.url}&prefix=closed`, NEXT_CACHE_DIR: fakeBuild() };
  assert.equal((await runScript(text, { env })).stdout, 'done\n');
});

test('programs are told of the tier what the types promise', async () => {
  const declared = fs
    .readFileSync(path.resolve(__dirname, '../../bindings/node/index.d.ts'), 'utf8')
    .match(/interface RemoteStats \{([^]*?)\n\}/)[1]
    .match(/^ {2}\w+(?=\??:)/gm)
    .map((name) => name.trim());
  assert.deepEqual(Object.keys(await a.stats()).sort(), declared.sort());
});

test('a get that is under way when a cache is closed is a miss, and no alarm', async () => {
  const { runScript } = require('../node/support');
  await set(a, 'closing', 'x'.repeat(300000)); // unpacked by the pool
  await settled(a);
  const key = await a.run(({ key: keyOf }) => `f:${keyOf('closing')}`);
  const text = `(async () => {
    const nextcache = require(process.env.NXC_PACKAGE);
    const { theEngine } = require(process.env.NXC_PACKAGE + '/lib/engine.js');
    const get = () => theEngine().getStored(process.env.KEY, 3);
    const until = async (holds) => { while (!holds()) await new Promise(setImmediate); };
    const beforeItTried = get();
    nextcache.close();
    const first = await beforeItTried;
    nextcache.open();
    await until(() => theEngine().remoteStats().state === 'ready');
    const unpacking = get();
    await until(() => theEngine().remoteStats().bytesIn > 0);
    nextcache.close();
    const { stored } = await unpacking; // the pool may have been faster than this
    console.log(first.stored, stored === undefined || stored.value.data.body.length === 300000);
  })()`;
  const env = { NEXT_CACHE_VALKEY_URL: server.url, NEXT_CACHE_DIR: fakeBuild(), KEY: key };
  const { stdout, stderr } = await runScript(text, { env });
  assert.equal(stdout, 'undefined true\n', stderr);
  assert.doesNotMatch(stderr, /intact/);
});
