'use strict';
// What the operator and the debugger read: one line per cause and minute over
// all processes, one when it is over, and the reason of every miss.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { SteppedClock } = require('./stepped-clock');
const { startPeer } = require('./peer');
const { appPage, captureWarnings, eventually, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, inPackage, pageGet, pageSet, runScript, temporaryDirectory } =
  require('./support');

const KEY = fetchKey('log');
const PAGE = '/route-cache/APP_PAGE/0123/$/page';
const BUILT = `/route-cache/APP_ROUTE/${'0123'.repeat(16)}/$/built`;
const HOUR_IN_STEPS = 3600 / 10;

/** Three processes work for an hour with a directory that is in trouble. */
async function troubledHour(t, dir, work) {
  const clock = new SteppedClock();
  const root = temporaryDirectory();
  const peers = [];
  for (let i = 0; i < 3; i++) {
    const peer = await startPeer({ dir: root, env: { ...clock.env, NEXT_CACHE_DIR: dir } });
    t.after(() => peer.stop());
    peers.push(peer);
  }
  for (let step = 0; step < HOUR_IN_STEPS; step++) {
    for (const peer of peers) await work(peer, step);
    clock.move(10000);
  }
  const linesNow = async () => {
    // They come through pipes, and all of them have when there are no more.
    const count = () => peers.reduce((sum, peer) => sum + peer.lines.length, 0);
    for (let seen = -1; seen !== count(); ) {
      seen = count();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return peers.flatMap(({ lines }) => lines).filter((line) => line.startsWith('nextcache:'));
  };
  return { clock, peers, lines: await linesNow(), linesNow };
}

test('an unusable directory: a line a minute over all processes, and one when it works', async (t) => {
  const blocked = path.join(temporaryDirectory(), 'file');
  fs.writeFileSync(blocked, '');
  const dir = path.join(blocked, 'cache');
  const ask = (peer) => peer.order('get', KEY, fetchGet());
  const { clock, peers, lines, linesNow } = await troubledHour(t, dir, ask);
  assert.ok(lines.length >= 50 && lines.length <= 70, `${lines.length} lines in an hour`);
  for (const line of lines) assert.match(line, /cannot use the cache directory .*: Not a directory; the cache lives in memory only$/);

  fs.rmSync(blocked);
  for (let i = 0; i < 10; i++) {
    clock.move(10000);
    for (const peer of peers) await ask(peer);
  }
  const after = (await linesNow()).filter((line) => !lines.includes(line));
  assert.deepEqual(after, [`nextcache: the cache directory can be used again: ${dir}`]);
});

for (const [when, hasIndex] of [['before the cache was made', false], ['afterwards', true]]) {
  test(`a disk that was full ${when}: at most 70 lines an hour over all processes, and one when there is room`, async (t) => {
    const small = temporaryDirectory();
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small], { encoding: 'utf8' });
    if (mounted.status !== 0) return t.skip(`no tmpfs can be mounted here: ${mounted.stderr}`);
    t.after(() => spawnSync('umount', ['-l', small]));
    const dir = path.join(small, 'cache');
    fs.mkdirSync(dir);
    if (hasIndex) {
      const first = await startPeer({ dir });
      await first.order('get', KEY, fetchGet());
      await first.stop();
    }
    const ballast = path.join(small, 'ballast');
    fill(ballast);

    const put = (peer, step) => peer.order('set', fetchKey(`k${step}`), fetchValue('x'.repeat(50000)), fetchSet());
    const { clock, peers, lines, linesNow } = await troubledHour(t, dir, put);
    assert.ok(lines.length >= 50 && lines.length <= 70, `${lines.length} lines in an hour: ${lines[0]}`);

    fs.rmSync(ballast);
    for (let i = 0; i < 20; i++) {
      clock.move(10000);
      for (const peer of peers) await put(peer, i);
    }
    const after = (await linesNow()).filter((line) => !lines.includes(line));
    assert.equal(after.length, 1, after.join('\n'));
    assert.match(after[0], /again/);
    return undefined;
  });
}

function fill(ballast) {
  const file = fs.openSync(ballast, 'w');
  try {
    for (;;) fs.writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    assert.equal(error.code, 'ENOSPC');
  }
  fs.closeSync(file);
}

test('a cause is told once a minute, in one line, and every cause by itself', () => {
  const { warn, warnOnce } = inPackage('lib/log.js');
  const warnings = captureWarnings();
  const { now } = Date;
  try {
    for (let minute = 0; minute < 3; minute++) {
      Date.now = () => 1e12 + minute * 60000;
      for (let i = 0; i < 5; i++) {
        warn('often', `line\n    of minute ${minute}`);
        warnOnce('once', 'once');
      }
    }
  } finally {
    Date.now = now;
    warnings.restore();
  }
  assert.deepEqual(warnings.lines, [
    'nextcache: line of minute 0',
    'nextcache: once',
    'nextcache: line of minute 1',
    'nextcache: line of minute 2',
  ]);
});

const SAY = `
  const { warn } = require(process.env.NXC_PACKAGE + '/lib/log.js');
  Date.now = () => 1e12;
  warn('cause', 'text');
  warn('cause', 'text');`;

test('a process that is started again tells again', async () => {
  const cwd = temporaryDirectory();
  for (let i = 0; i < 2; i++) assert.equal((await runScript(SAY, { cwd })).stderr, 'nextcache: text\n');
});

test('where processes cannot agree, each tells', async () => {
  const TMPDIR = path.join(temporaryDirectory(), 'missing');
  assert.equal((await runScript(SAY, { env: { TMPDIR } })).stderr, 'nextcache: text\n');
  const open = temporaryDirectory();
  const claims = path.join(open, `nextcache-${process.getuid()}`);
  fs.mkdirSync(claims);
  fs.chmodSync(claims, 0o777);
  assert.equal((await runScript(SAY, { env: { TMPDIR: open } })).stderr, 'nextcache: text\n');
  assert.deepEqual(fs.readdirSync(claims), [], 'a directory that others can write to is not used');
});

test('claims of minutes that are over are removed', () => {
  const { warn } = inPackage('lib/log.js');
  const warnings = captureWarnings();
  const { now } = Date;
  try {
    for (let minute = 0; minute < 10; minute++) {
      Date.now = () => 2e12 + minute * 60000;
      warn('sweep', 'text');
    }
  } finally {
    Date.now = now;
    warnings.restore();
  }
  assert.equal(warnings.lines.length, 10);
  const claims = fs.readdirSync(path.join(process.env.TMPDIR, `nextcache-${process.getuid()}`));
  assert.ok(claims.length <= 2, claims.join(' '));
});

// ---- NEXT_PRIVATE_DEBUG_CACHE --------------------------------------------------------

/** What the build leaves of a route handler at /built. */
function prerenderRoute(serverDistDir, key, tag) {
  const base = path.join(serverDistDir, 'app/built');
  const headers = { 'x-next-cache-tags': tag };
  fs.writeFileSync(`${base}.body`, 'built');
  fs.writeFileSync(`${base}.meta`, JSON.stringify({ status: 200, headers, routeCache: { key, isFallback: false } }));
}

test('the debug log says that what is on the disk is damaged', async (t) => {
  const dir = temporaryDirectory();
  const env = { NEXT_PRIVATE_DEBUG_CACHE: '1', NEXT_CACHE_MAX_MEMORY_SIZE: '0' };
  const peer = await startPeer({ dir, env, serverDistDir: fakeBuild() });
  t.after(() => peer.stop());
  await peer.order('set', KEY, fetchValue('x'.repeat(1000)), fetchSet());
  await peer.order('useCacheSet', 'u', {}, 'x'.repeat(1000));
  const v1 = path.join(dir, 'v1');
  const data = path.join(v1, fs.readdirSync(v1).find((name) => name.startsWith('data-')));
  const bytes = fs.readFileSync(data).subarray(0, 65536);
  const file = fs.openSync(data, 'r+');
  fs.writeSync(file, bytes.map((byte, i) => (i % 64 === 63 ? byte ^ 1 : byte)), 0, bytes.length, 0);
  fs.closeSync(file);
  assert.equal(await peer.order('get', KEY, fetchGet()), null);
  assert.equal(await peer.order('useCacheGet', 'u'), undefined);
  await eventually(() => peer.lines.filter((line) => /miss: corrupt$/.test(line)).length === 2).catch(() => assert.fail(peer.lines.join('\n')));
});

test('the debug log has a line for every call, with the reason of every miss', async (t) => {
  const dir = temporaryDirectory();
  const clock = new SteppedClock();
  const options = { dir, env: { ...clock.env, NEXT_PRIVATE_DEBUG_CACHE: '1' } };
  const old = await startPeer({ ...options, serverDistDir: fakeBuild(temporaryDirectory(), 'build-1') });
  t.after(() => old.stop());
  const serverDistDir = fakeBuild(temporaryDirectory(), 'build-2');
  prerenderRoute(serverDistDir, BUILT, 'built');
  const peer = await startPeer({ ...options, serverDistDir });
  t.after(() => peer.stop());
  const line = async (...words) => {
    const from = peer.lines.length;
    await peer.order(...words);
    await eventually(() => peer.lines.length > from);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const lines = peer.lines.slice(from);
    assert.equal(lines.length, 1, `${words[0]}: ${lines.join(' | ')}`);
    return lines[0];
  };
  const page = `nextcache: get ${PAGE} APP_PAGE`;
  const fetch = `nextcache: get ${KEY} FETCH`;

  assert.equal(await line('get', PAGE, pageGet()), `${page} miss: absent`);
  await old.order('set', PAGE, appPage(['t']), pageSet());
  assert.equal(await line('get', PAGE, pageGet()), `${page} miss: of another build`);
  const tags = Array.from({ length: 20 }, (_, i) => `a-long-tag-${i}`);
  assert.equal(await line('set', PAGE, appPage(tags), pageSet()), `nextcache: set ${PAGE} APP_PAGE [${tags.join(', ')}] 0`);
  assert.equal(await line('get', PAGE, pageGet()), `${page} hit memory`);
  assert.equal(await line('get', PAGE, { ...pageGet(), kind: 'PAGES' }), `nextcache: get ${PAGE} PAGES miss: another kind`);
  await peer.order('mark', [tags[3]], { expire: 60 });
  assert.equal(await line('get', PAGE, pageGet()), `${page} stale by tag "a-long-tag-3" memory`);
  await peer.order('mark', [tags[7]]);
  assert.equal(await line('get', PAGE, pageGet()), `${page} miss: dead by tag "a-long-tag-7"`);

  assert.equal(await line('get', KEY, fetchGet()), `${fetch} miss: absent`);
  await peer.order('set', KEY, fetchValue(), fetchSet(['t']));
  assert.equal(await line('get', KEY, fetchGet(['t'])), `${fetch} hit memory`);
  await peer.order('mark', ['soft']);
  assert.equal(await line('get', KEY, fetchGet(['t'], ['soft'])), `${fetch} miss: dead by tag "soft"`);

  await peer.order('mark', ['built']);
  assert.equal(await line('get', BUILT, { kind: 'APP_ROUTE' }), `nextcache: get ${BUILT} APP_ROUTE miss: build output dead by tag "built"`);

  const result = 'nextcache: use-cache get u';
  assert.equal(await line('useCacheGet', 'u'), `${result} miss: absent`);
  await peer.order('useCacheSet', 'u', { tags: ['t'], expire: 60 }, 'x');
  assert.equal(await line('useCacheGet', 'u'), `${result} hit memory`);
  clock.move(61000);
  assert.equal(await line('useCacheGet', 'u'), `${result} miss: expired`);
  await old.order('useCacheSet', 'v', {}, 'x');
  assert.equal(await line('useCacheGet', 'v'), 'nextcache: use-cache get v miss: of another build');
});
