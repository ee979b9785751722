'use strict';
// The start of a server: one line, and what was in use is in memory.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { fetchGet, fetchKey, fetchSet, fetchValue, runScript, temporaryDirectory } = require('./support');

const PACKAGE = path.resolve(__dirname, '../../bindings/node');
const KEYS = ['a', 'b', 'c'].map(fetchKey);

const PRELUDE = `
  const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
  const nextcache = require(process.env.NXC_PACKAGE);
  const set = (key) => new CacheHandler({}).set(key, ${JSON.stringify(fetchValue())}, ${JSON.stringify(fetchSet(['t']))});
  const get = (key) => new CacheHandler({}).get(key, ${JSON.stringify(fetchGet())});
  const [a, b, c] = ${JSON.stringify(KEYS)};
  const eventually = async (look) => {
    const until = performance.now() + 60000;
    while (!look()) {
      if (performance.now() > until) throw new Error('never happened: ' + look);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
`;
const run = (text, env) =>
  runScript(`${PRELUDE} (async () => { ${text} })();`, { env: { NEXT_CACHE_MAX_DISK_SIZE: '16MB', ...env } });

/** A directory in which a process has left a, b and c, of which a and b were read. */
async function usedCache() {
  const dir = temporaryDirectory();
  // In a second process: the first one's memory tier would answer.
  await run('for (const key of [a, b, c]) await set(key)', { NEXT_CACHE_DIR: dir });
  await run('await get(a); await get(b)', { NEXT_CACHE_DIR: dir });
  return dir;
}

const REGISTER = `const { register } = require(process.env.NXC_PACKAGE + '/instrumentation.js');`;

test('what was in use is in memory, and one line says so', async () => {
  const dir = await usedCache();
  const { stdout, stderr } = await run(
    `${REGISTER}
     await register();
     await register();
     await eventually(() => nextcache.stats().memoryItems === 2);
     const before = nextcache.stats();
     await get(a); await get(c);
     const after = nextcache.stats();
     await new Promise((resolve) => setTimeout(resolve, 20));
     console.log(JSON.stringify([after.memoryHits.fetches - before.memoryHits.fetches, after.diskHits.fetches - before.diskHits.fetches]));`,
    { NEXT_CACHE_DIR: dir },
  );
  const lines = stdout.trim().split('\n');
  assert.equal(lines.length, 2, stdout + stderr);
  assert.match(lines.find((line) => line.startsWith('nextcache:')),
    /^nextcache: ready, 50 MB of memory, 16 MB of disk in \/.*; 2 entries \([\d.]+ (bytes|KB)\) lifted into memory in \d+ ms$/);
  assert.ok(lines.includes('[1,1]'), stdout);
  assert.equal(stderr, '');
});

test('an empty cache and one without a disk say what they are', async () => {
  const empty = await run(`${REGISTER} await register()`, { NEXT_CACHE_DIR: temporaryDirectory() });
  assert.match(empty.stdout, /^nextcache: ready, 50 MB of memory, 16 MB of disk in \/[^;\n]*\n$/);
  const memory = await run(`${REGISTER} await register()`, { NEXT_CACHE_MAX_DISK_SIZE: '0', NEXT_CACHE_MAX_MEMORY_SIZE: '64MB' });
  assert.equal(memory.stdout, 'nextcache: ready, 64 MB of memory, no disk tier\n');
});

test('options in code, and no time to warm', async () => {
  const dir = await usedCache();
  const { stdout } = await run(
    `${REGISTER} await register({ dir: ${JSON.stringify(dir)}, maxMemorySize: '4MB', warmForMs: 0 })`, { NEXT_CACHE_DIR: temporaryDirectory() });
  assert.equal(stdout, `nextcache: ready, 4 MB of memory, 16 MB of disk in ${dir}\n`);
});

test('register does not wait for the disk', async () => {
  const dir = await usedCache();
  const { stdout } = await run(
    `${REGISTER} await register(); console.log('registered')`, { NEXT_CACHE_DIR: dir });
  assert.match(stdout, /^registered\nnextcache: ready, .* 2 entries /);
});

test('where Next’s own cache took over, only that is told', async () => {
  const { stdout, stderr } = await run(`${REGISTER} await register()`, { NEXT_CACHE_ENGINE: 'next' });
  assert.equal(stdout, '');
  assert.match(stderr, /^nextcache: engine=next: .*\n$/);
});

test('during a build and in the edge runtime nothing happens', async () => {
  for (const env of [{ NEXT_PHASE: 'phase-production-build' }, { NEXT_RUNTIME: 'edge' }]) {
    const dir = path.join(temporaryDirectory(), 'cache');
    const { stdout, stderr } = await runScript(
      `require(process.env.NXC_PACKAGE + '/instrumentation.js').register()`, { env: { NEXT_CACHE_DIR: dir, ...env } });
    assert.equal(stdout + stderr, '');
    assert.equal(fs.existsSync(dir), false);
  }
});

test('a bundled copy, which comes first, warms the engine that the handlers make', async () => {
  const dir = await usedCache();
  const copy = temporaryDirectory();
  fs.cpSync(PACKAGE, copy, { recursive: true, filter: (file) => !file.endsWith('.node') && !file.includes('node_modules') });
  const { stdout, stderr } = await run(
    `process.env.__NEXT_BUNDLER = 'Turbopack';
     const { register } = require(${JSON.stringify(path.join(copy, 'instrumentation.js'))});
     delete process.env.__NEXT_BUNDLER;
     await register();
     new CacheHandler({});
     nextcache.open();
     await eventually(() => nextcache.stats().memoryItems === 2);`,
    { NEXT_CACHE_DIR: dir },
  );
  assert.match(stdout, /^nextcache: ready, .* 2 entries .*\n$/, stderr);
  assert.equal(stderr, '');
});
