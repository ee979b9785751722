'use strict';
// What Prometheus gets: over the route, and through the interface for programs.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { beforeEach, test } = require('node:test');
const { fetchGet, fetchKey, fetchSet, fetchValue, freshCache, inPackage, runScript, temporaryDirectory } = require('./support');

const CacheHandler = inPackage('cache-handler.js');
const nextcache = inPackage('index.js');
const { GET } = inPackage('metrics.js');

const KEY = fetchKey('k');
let dir;

beforeEach(() => {
  delete process.env.NEXT_CACHE_METRICS_TOKEN;
  dir = temporaryDirectory();
  freshCache({ dir });
});

/** Samples of the text: name and labels -> number. */
const samples = (text) =>
  new Map(
    text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );

const scrape = async (headers = {}) => GET(new Request('http://site/metrics', { headers }));
const numbers = async () => samples(await (await scrape()).text());

test('scraped twice, the numbers move', async () => {
  const hits = 'nextcache_memory_hits_total{class="fetches"}';
  const puts = 'nextcache_puts_total{class="fetches"}';
  const before = await numbers();
  assert.equal(before.get(hits), 0);
  await new CacheHandler({}).set(KEY, fetchValue(), fetchSet(['a']));
  await new CacheHandler({}).get(KEY, fetchGet());
  const after = await numbers();
  assert.equal(after.get(puts), before.get(puts) + 1);
  assert.equal(after.get(hits), 1);
  assert.equal(after.get('nextcache_disk'), 1);
  assert.equal(after.get('nextcache_processes'), 1);
  assert.equal([...after.keys()].filter((name) => name.startsWith('nextcache_info{engine="nextcache"')).length, 1);
});

test('it is text in the format of Prometheus, not to be stored, without paths and process ids', async () => {
  const response = await scrape();
  assert.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const text = await response.text();
  for (const line of text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) nextcache_\w+ .+|nextcache_\w+(\{\w+="[\w.-]+"(,\w+="[\w.-]+")*\})? [\d.e+-]+)$/);
  }
  assert.ok(!text.includes(dir) && !text.includes('pid'), text);
});

test('every counter of stats() has its sample', async () => {
  const text = await nextcache.metrics();
  const names = [...samples(text).keys()].join('\n');
  const { disk, externalBytes, remote, ...stats } = nextcache.stats();
  assert.equal(remote, null); // of one that is there tests/remote looks for the samples
  const renamed = { bytesWritten: 'disk_written_bytes', bytesRead: 'disk_read_bytes', diskRecycled: 'disk_recycled' };
  for (const name of Object.keys(stats)) {
    const wanted = renamed[name] ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    assert.ok(names.includes(`nextcache_${wanted}`), name);
  }
});

test('counters do not fall when a process is killed', async () => {
  const script = `
    const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
    (async () => {
      const handler = new CacheHandler({});
      await handler.set(${JSON.stringify(KEY)}, ${JSON.stringify(fetchValue())}, ${JSON.stringify(fetchSet(['a']))});
      for (let i = 0; i < 7; i++) await new CacheHandler({}).get(${JSON.stringify(KEY)}, ${JSON.stringify(fetchGet())});
      process.kill(process.pid, 'SIGKILL');
    })();`;
  await runScript(script, { env: { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' } });
  const after = await numbers();
  assert.equal(after.get('nextcache_memory_hits_total{class="fetches"}'), 7);
  assert.equal(after.get('nextcache_puts_total{class="fetches"}'), 1);
  assert.equal(after.get('nextcache_processes'), 1);
});

test('with a token, only who has it is answered', async () => {
  process.env.NEXT_CACHE_METRICS_TOKEN = 's3cret';
  for (const authorization of [undefined, '', 'Bearer', 'Bearer ', 's3cret', 'Bearer s3cre', 'Bearer s3cret2', 'Bearer S3cret', 'Basic s3cret']) {
    const response = await scrape(authorization === undefined ? {} : { authorization });
    assert.equal(response.status, 401, authorization);
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
    assert.ok(!(await response.text()).includes('nextcache_'));
  }
  assert.equal((await scrape({ authorization: 'Bearer s3cret' })).status, 200);
});

test('a cache that lives in memory says so', async () => {
  const file = path.join(temporaryDirectory(), 'file');
  fs.writeFileSync(file, '');
  const { stdout } = await runScript(
    `require(process.env.NXC_PACKAGE).metrics().then((text) => console.log(text))`,
    { env: { NEXT_CACHE_DIR: path.join(file, 'cache') } },
  );
  const found = samples(stdout);
  assert.deepEqual([found.get('nextcache_up'), found.get('nextcache_disk')], [1, 0]);
  assert.equal(found.get('nextcache_memory_limit_bytes'), 50 * 2 ** 20);
});

test('where Next’s own cache took over, it says so, and so does one line of the log', async () => {
  const { stdout, stderr } = await runScript(
    `const { GET } = require(process.env.NXC_PACKAGE + '/metrics.js');
     GET(new Request('http://site/')).then(async (response) => console.log(response.status, await response.text()));`,
    { env: { NEXT_CACHE_ENGINE: 'next', NEXT_CACHE_DIR: dir } },
  );
  assert.match(stdout, /^200 /);
  assert.match(stdout, /^nextcache_info\{engine="next",version="[\d.]+"\} 1$/m);
  assert.match(stdout, /^nextcache_up 0$/m);
  assert.equal(stderr.match(/^nextcache: engine=next: /gm)?.length, 1, stderr);
});

test('a bundled copy of the route scrapes the cache that the handlers have open', async () => {
  const copy = temporaryDirectory();
  fs.cpSync(process.env.NXC_PACKAGE ?? path.resolve(__dirname, '../../bindings/node'), copy, {
    recursive: true,
    filter: (file) => !file.endsWith('.node') && !file.includes('node_modules'),
  });
  const { stdout, stderr } = await runScript(
    `const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js');
     process.env.__NEXT_BUNDLER = 'Turbopack';
     const { GET } = require(${JSON.stringify(path.join(copy, 'metrics.js'))});
     require(${JSON.stringify(path.join(copy, 'index.js'))});
     delete process.env.__NEXT_BUNDLER;
     (async () => {
       await new CacheHandler({}).set(${JSON.stringify(KEY)}, ${JSON.stringify(fetchValue())}, ${JSON.stringify(fetchSet(['a']))});
       console.log(await (await GET(new Request('http://site/'))).text());
     })();`,
    { env: { NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB' } },
  );
  assert.equal(samples(stdout).get('nextcache_puts_total{class="fetches"}'), 1, stderr);
});
