'use strict';
const assert = require('node:assert/strict');
const path = require('node:path');
const fs = require('node:fs');
const { test } = require('node:test');
const { captureWarnings, eventually, freshCache, inPackage, temporaryDirectory } = require('./support');

const { parseSize, projectRoot, resolveConfig } = inPackage('lib/config.js');
const nextcache = inPackage('index.js');
const CacheHandler = inPackage('cache-handler.js');

const MB = 2 ** 20;
const resolve = (sources) => resolveConfig({ root: '/project', ...sources });

test('sizes', () => {
  const rows = [
    [0, 0],
    [1, 1],
    [67108864, 67108864],
    ['67108864', 67108864],
    ['0', 0],
    ['64MB', 64 * MB],
    ['64mb', 64 * MB],
    [' 64 MB ', 64 * MB],
    ['64M', 64 * MB],
    ['1.5GB', 1536 * MB],
    ['8KB', 8192],
    ['10B', 10],
    ['1TB', 2 ** 40],
    ['', undefined],
    ['MB', undefined],
    ['64XB', undefined],
    ['64 MB of memory', undefined],
    ['-1', undefined],
    ['1e6', undefined],
    ['lots', undefined],
    [-1, undefined],
    [1.5, undefined],
    [NaN, undefined],
    [Infinity, undefined],
    [2 ** 60, undefined],
    ['9999999TB', undefined],
    [null, undefined],
    [true, undefined],
  ];
  for (const [text, bytes] of rows) assert.equal(parseSize(text), bytes, String(text));
});

test('defaults', () => {
  assert.deepEqual(resolve({}), {
    dir: path.join('/project', '.cache', 'nextcache'),
    memoryBytes: 50 * MB,
    memoryItems: 0,
    diskBytes: 1024 * MB,
    dropHeaders: [],
    neverStore: [],
    engine: 'nextcache',
    building: false,
    remote: undefined,
    problems: [],
  });
});

test('the order of strength', () => {
  const env = { NEXT_CACHE_MAX_MEMORY_SIZE: '20MB' };
  const options = { maxMemorySize: '10MB' };
  assert.equal(resolve({ options, env, nextMemory: 30 * MB }).memoryBytes, 10 * MB);
  assert.equal(resolve({ env, nextMemory: 30 * MB }).memoryBytes, 20 * MB);
  assert.equal(resolve({ nextMemory: 30 * MB }).memoryBytes, 30 * MB);
  assert.equal(resolve({ nextMemory: 50 * MB }).memoryBytes, 50 * MB, "Next's default says nothing");
  assert.equal(resolve({ env: { NEXT_CACHE_MAX_MEMORY_SIZE: '' } }).memoryBytes, 50 * MB, 'an empty variable is unset');
});

test('every setting, by variable and by option', () => {
  const expected = { memoryBytes: 12 * MB, memoryItems: 7, diskBytes: 16 * MB, dropHeaders: [/^x$/is], neverStore: [/^x$/is], engine: 'next', building: false, remote: undefined };
  const env = {
    NEXT_CACHE_DIR: '/elsewhere',
    NEXT_CACHE_MAX_MEMORY_SIZE: '12MB',
    NEXT_CACHE_MAX_DISK_SIZE: '16MB',
    NEXT_CACHE_MAX_ITEMS: '7',
    NEXT_CACHE_DROP_HEADERS: 'x',
    NEXT_CACHE_NEVER_STORE: 'x',
    NEXT_CACHE_ENGINE: 'next',
  };
  const options = { dir: 'sub/dir', maxMemorySize: '12MB', maxDiskSize: '16MB', maxItemsNumber: 7, dropHeaders: ['x'], neverStore: ['x'], engine: 'next' };
  assert.deepEqual(resolve({ env }), { ...expected, dir: '/elsewhere', problems: [] });
  assert.deepEqual(resolve({ options }), { ...expected, dir: '/project/sub/dir', problems: [] });
});

test('a wrong value is one problem that names everything, and the next source counts', () => {
  const rows = [
    [{ env: { NEXT_CACHE_MAX_MEMORY_SIZE: 'lots' }, nextMemory: 30 * MB }, 'memoryBytes', 30 * MB, /^NEXT_CACHE_MAX_MEMORY_SIZE is "lots".*64MB/],
    [{ options: { maxMemorySize: -5 } }, 'memoryBytes', 50 * MB, /^maxMemorySize is -5.*64MB/],
    [{ env: { NEXT_CACHE_MAX_DISK_SIZE: '1MB' } }, 'diskBytes', 1024 * MB, /^NEXT_CACHE_MAX_DISK_SIZE is "1MB".*at least 8MB/],
    [{ env: { NEXT_CACHE_MAX_ITEMS: '1.5' } }, 'memoryItems', 0, /^NEXT_CACHE_MAX_ITEMS is "1.5".*whole number/],
    [{ env: { NEXT_CACHE_ENGINE: 'redis' } }, 'engine', 'nextcache', /^NEXT_CACHE_ENGINE is "redis".*"nextcache" or "next"/],
    [{ options: { dir: 5 } }, 'dir', '/project/.cache/nextcache', /^dir is 5.*path/],
    [{ options: { maxItems: 5 } }, 'memoryItems', 0, /"maxItems" does not exist.*maxItemsNumber/],
  ];
  for (const [sources, field, value, text] of rows) {
    const config = resolve(sources);
    assert.equal(config[field], value, field);
    assert.equal(config.problems.length, 1);
    assert.match(config.problems[0], text);
  }
});

test('cacheMaxMemorySize: 0 is obeyed, with the remedy; a stronger source wins in silence', () => {
  const config = resolve({ nextMemory: 0 });
  assert.equal(config.memoryBytes, 0);
  assert.equal(config.problems.length, 1);
  assert.match(config.problems[0], /NEXT_CACHE_MAX_MEMORY_SIZE/);
  assert.deepEqual(resolve({ nextMemory: 0, options: { maxMemorySize: '8MB' } }).problems, []);
});

test('a build worker has at most 8 MB of memory', () => {
  assert.equal(resolve({ building: true }).memoryBytes, 8 * MB);
  assert.equal(resolve({ building: true, options: { maxMemorySize: '1GB' } }).memoryBytes, 8 * MB);
  assert.equal(resolve({ building: true, options: { maxMemorySize: '2MB' } }).memoryBytes, 2 * MB);
});

test("the project's root is the nearest directory with server.js or package.json", () => {
  const top = temporaryDirectory();
  const deep = path.join(top, 'a', 'b', 'c');
  fs.mkdirSync(deep, { recursive: true });
  fs.writeFileSync(path.join(top, 'package.json'), '{}');
  assert.equal(projectRoot(deep), top);
  fs.writeFileSync(path.join(top, 'a', 'server.js'), '');
  assert.equal(projectRoot(deep), path.join(top, 'a'));
  assert.equal(projectRoot('/somewhere', () => false), '/somewhere');
});

test('the memory budget and the item limit change while the cache is open', () => {
  freshCache({ maxMemorySize: '8MB' });
  assert.equal(nextcache.stats().memoryLimitBytes, 8 * MB);
  nextcache.configure({ maxMemorySize: '12MB' });
  assert.equal(nextcache.stats().memoryLimitBytes, 12 * MB);
});

test("Next's memory size counts when it becomes known, and not against options", () => {
  freshCache({ maxMemorySize: '8MB' });
  new CacheHandler({ maxMemoryCacheSize: 20 * MB });
  assert.equal(nextcache.stats().memoryLimitBytes, 8 * MB);
});

test('a directory that is given too late is told once', () => {
  const dir = freshCache();
  const warnings = captureWarnings();
  nextcache.configure({ dir: temporaryDirectory() });
  nextcache.configure({ maxDiskSize: '32MB' });
  warnings.restore();
  assert.equal(warnings.lines.length, 2);
  assert.match(warnings.lines[0], /open already.*next start/);
  assert.equal(nextcache.stats().diskLimitBytes, 16 * MB);
  assert.ok(fs.existsSync(path.join(dir, 'v1', 'index')));
});

test('an unusable directory is one warning and a working cache', async () => {
  const warnings = captureWarnings();
  const file = path.join(temporaryDirectory(), 'file');
  fs.writeFileSync(file, '');
  freshCache({ dir: path.join(file, 'cache') });
  const handler = new CacheHandler({});
  await handler.set('ab'.repeat(32), { kind: 'FETCH', data: { body: 'x' }, revalidate: 60 }, { fetchCache: true, tags: [] });
  const entry = await handler.get('ab'.repeat(32), { kind: 'FETCH', revalidate: 60, tags: [] });
  await eventually(() => warnings.lines.length > 0);
  warnings.restore();
  assert.equal(entry.value.data.body, 'x');
  assert.equal(warnings.lines.length, 1, warnings.lines.join('\n'));
  assert.equal(nextcache.stats().disk, false);
});

test('what is wrong with an address is told without its password', () => {
  const urls = ['redis://u:TOP/TOP@h:6379', 'redis://u:TOP@TOP@h:6379?getMs=soon', 'redis://u:TOP#TOP@h', 'http://:TOP@h'];
  for (const url of urls) {
    const { problems, remote } = resolve({ env: { NEXT_CACHE_VALKEY_URL: url } });
    assert.equal(remote, undefined);
    assert.doesNotMatch(problems.join(), /TOP/, url);
    assert.match(problems.join(), /NEXT_CACHE_VALKEY_URL is .*\*\*\*/);
  }
  assert.match(resolve({ options: { remote: { url: 'redis://h', unsure: 5 } } }).problems.join(), /remote is \{url, unsure\}, which/);
});
