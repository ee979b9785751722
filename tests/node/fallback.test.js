'use strict';
// What happens where there is no native cache, and in the edge runtime.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { PACKAGE, runScript, temporaryDirectory } = require('./support');

// The handler for 'use cache' as 16 and 15 have it; 14 has none.
const USE_CACHE_HANDLERS = {
  16: [
    'default.js',
    `const marked = [];
    exports.createDefaultCacheHandler = (size) => ({
      get: async (key) => ({ from: 'next', key, size, marked }),
      set: async () => {},
      refreshTags: async () => {},
      getExpiration: async (tags) => tags.length,
      updateTags: async (tags) => { marked.push(...tags); },
    });`,
  ],
  15: [
    'default.external.js',
    `const marked = [];
    exports.default = {
      get: async (key) => ({ from: 'next', key, marked }),
      set: async () => {},
      refreshTags: async () => {},
      getExpiration: async (...tags) => tags.flat().length,
      expireTags: async (...tags) => { marked.push(...tags.flat()); },
    };`,
  ],
};

/** A project with a stand-in for Next.js, and a copy of the package without the addon. */
function project({ addon, next = true, version = '16.4.6' }) {
  const dir = temporaryDirectory();
  const copy = path.join(dir, 'node_modules', 'nextcache');
  fs.cpSync(PACKAGE, copy, {
    recursive: true,
    filter: (file) => !file.includes('node_modules') && !file.endsWith('.node'),
  });
  if (addon === 'whole') fs.copyFileSync(path.join(PACKAGE, 'nextcache.node'), path.join(copy, 'nextcache.node'));
  if (addon === 'broken') fs.writeFileSync(path.join(copy, 'nextcache.node'), 'this is no shared object');
  fs.writeFileSync(path.join(dir, 'package.json'), '{}');
  if (next) {
    const write = (name, text) => {
      const file = path.join(dir, 'node_modules', 'next', name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    };
    write('package.json', JSON.stringify({ name: 'next', version }));
    write(
      'dist/server/lib/incremental-cache/file-system-cache.js',
      `exports.default = class FileSystemCache {
        constructor(context) { this.context = context; }
        async get(key) { return { from: 'next', key, size: this.context.maxMemoryCacheSize }; }
        async set() {}
        async revalidateTag() {}
        resetRequestCache() {}
      };`,
    );
    const [file, text] = USE_CACHE_HANDLERS[version.split('.')[0]] ?? [];
    if (file) write(`dist/server/lib/cache-handlers/${file}`, text);
  }
  return dir;
}

const SCRIPT = `
  const CacheHandler = require('nextcache/cache-handler');
  const useCache = require('nextcache/use-cache-handler');
  const nextcache = require('nextcache');
  (async () => {
    const request = () => new CacheHandler({ maxMemoryCacheSize: 5 });
    for (let i = 0; i < 3; i++) await request().get('a', { kind: 'FETCH' });
    const handler = request();
    await handler.set('k', null, {});
    await handler.revalidateTag(['t']);
    handler.resetRequestCache();
    await useCache.set('u', Promise.resolve({ expire: 0, value: new Blob([]).stream() }));
    await useCache.refreshTags();
    await useCache.updateTags(['by 16']);
    await useCache.expireTags('by', '15');
    console.log(JSON.stringify({
      page: await handler.get('k', { kind: 'APP_PAGE' }),
      entry: await useCache.get('u', []),
      expiration: await useCache.getExpiration(['a', 'b']),
      stats: nextcache.stats(),
      open: nextcache.open(),
    }));
  })();
`;
const run = (dir, env = {}) => runScript(SCRIPT, { cwd: dir, env: { NEXT_CACHE_DIR: path.join(dir, 'cache'), ...env } });

/** What makes a process believe that it runs on another system. */
function onAnotherSystem() {
  const file = path.join(temporaryDirectory(), 'sunos.js');
  fs.writeFileSync(file, "Object.defineProperty(process, 'platform', { value: 'sunos' });");
  return { NODE_OPTIONS: `--require ${file}` };
}

for (const [what, options, env] of [
  ['the addon is missing', { addon: 'none' }, {}],
  ['the addon cannot be loaded', { addon: 'broken' }, {}],
  ['there is none for the system', { addon: 'none' }, onAnotherSystem()],
  ['NEXT_CACHE_ENGINE=next asks for it', { addon: 'whole' }, { NEXT_CACHE_ENGINE: 'next' }],
]) {
  test(`where ${what}, Next's own cache takes over`, async () => {
    const dir = project(options);
    const { stdout, stderr, code } = await run(dir, env);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      page: { from: 'next', key: 'k', size: 5 },
      entry: { from: 'next', key: 'u', size: 50 * 2 ** 20, marked: ['by 16'] },
      expiration: 2,
      stats: null,
      open: false,
    });
    const lines = stderr.split('\n').filter(Boolean);
    assert.equal(lines.length, 1, stderr);
    assert.match(lines[0], /^nextcache: engine=next: /);
    if (!env.NEXT_CACHE_ENGINE) assert.match(lines[0], /Next's own cache takes over: (.*nextcache\.node|there is no binary for (linux|sunos)-)/);
    if (env.NODE_OPTIONS) assert.match(lines[0], /no binary for sunos-/);
    assert.equal(fs.existsSync(path.join(dir, 'cache')), false);
  });
}

test('where Next’s own cache takes over, optimised images go to Next’s cache of images', async () => {
  const dir = project({ addon: 'none' });
  fs.writeFileSync(
    path.join(dir, 'node_modules/next/dist/server/image-optimizer.js'),
    `const images = new Map();
    exports.ImageOptimizerCache = class {
      constructor({ distDir, nextConfig, cacheHandler }) {
        if (cacheHandler || nextConfig.experimental.isrFlushToDisk !== true) throw new Error('not as Next makes it');
        this.distDir = distDir;
      }
      async get(key) {
        return images.get(key) ?? null;
      }
      async set(key, { kind, buffer }, { cacheControl }) {
        images.set(key, { value: { kind, buffer, from: this.distDir }, cacheControl, isStale: key === 'old' });
      }
    };`,
  );
  const script = `
    const CacheHandler = require('nextcache/cache-handler');
    const images = new CacheHandler({ serverDistDir: '/app/.next/server', flushToDisk: true });
    (async () => {
      const ask = { kind: 'IMAGE', isFallback: false };
      const out = [await images.get('new', ask)];
      for (const key of ['new', 'old']) {
        await images.set(key, { kind: 'IMAGE', buffer: Buffer.from('b') }, { cacheControl: { revalidate: 60 } });
        const { value, lastModified } = await images.get(key, ask);
        out.push([value.kind, String(value.buffer), value.from, value.revalidate, lastModified]);
      }
      out.push((await images.get('k', { kind: 'APP_PAGE' })).from);
      console.log(JSON.stringify(out));
    })();`;
  const { stdout, stderr } = await runScript(script, { cwd: dir });
  assert.equal(stderr.split('\n').filter(Boolean).length, 1, stderr);
  const [missed, fresh, stale, page] = JSON.parse(stdout);
  assert.equal(missed, null);
  assert.deepEqual(fresh.slice(0, 4), ['IMAGE', 'b', '/app/.next', 60]);
  assert.ok(Date.now() - fresh[4] < 60000, 'fresh by its time');
  assert.equal(stale[4], 1, 'Next sees it as stale');
  assert.equal(page, 'next', 'the rest goes to Next’s cache for pages');

  fs.rmSync(path.join(dir, 'node_modules/next/dist/server/image-optimizer.js'));
  const { stderr: told } = await runScript(script, { cwd: dir });
  assert.match(told, /Next's own cache of images cannot be used either/);
});

test('where the addon is missing, the handlers of 15 and 14 take over as well', async () => {
  const of15 = await run(project({ addon: 'none', version: '15.5.29' }));
  assert.equal(of15.code, 0, of15.stderr);
  const { page, entry, expiration } = JSON.parse(of15.stdout);
  assert.deepEqual([page.from, entry, expiration], ['next', { from: 'next', key: 'u', marked: ['by', '15'] }, 2]);
  assert.equal(of15.stderr.split('\n').filter(Boolean).length, 1, of15.stderr);
  const of14 = await run(project({ addon: 'none', version: '14.2.35' }));
  assert.equal(of14.code, 0, of14.stderr);
  assert.equal(JSON.parse(of14.stdout).page.from, 'next');
});

test('where Next’s own cache is missing too, nothing is cached and nothing fails', async () => {
  const { stdout, stderr, code } = await run(project({ addon: 'none', next: false }));
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { page: null, expiration: 0, stats: null, open: false });
  assert.equal(stderr.split('\n').filter(Boolean).length, 3, stderr);
});

test('a wrong engine is told, and the cache works', async () => {
  const { stdout, stderr } = await run(project({ addon: 'whole' }), { NEXT_CACHE_ENGINE: 'redis' });
  assert.equal(JSON.parse(stdout).open, true);
  assert.match(stderr, /NEXT_CACHE_ENGINE is "redis"/);
});

test('in the edge runtime both files do nothing and require nothing', async () => {
  const { stdout, stderr } = await runScript(
    `
    const Module = require('node:module');
    const load = Module._load;
    Module._load = (name, ...rest) => {
      if (name.startsWith('./lib') || name.endsWith('.node')) throw new Error('required ' + name);
      return load(name, ...rest);
    };
    const CacheHandler = require(process.env.NXC_PACKAGE + '/cache-handler.js').with({});
    const useCache = require(process.env.NXC_PACKAGE + '/use-cache-handler.js').with({});
    (async () => {
      const handler = new CacheHandler({});
      await handler.set('k', null, {});
      await handler.revalidateTag('t');
      handler.resetRequestCache();
      await useCache.set('k', Promise.resolve({}));
      await useCache.refreshTags();
      await useCache.updateTags(['t']);
      await useCache.expireTags('t');
      console.log(await handler.get('k'), await useCache.get('k'), await useCache.getExpiration(['t']));
    })();`,
    { env: { NEXT_RUNTIME: 'edge' } },
  );
  assert.equal(stdout, 'null undefined 0\n', stderr);
});

test('in the edge runtime all else of the package can be bundled, and refuses what it is asked', async () => {
  const dir = project({ addon: 'whole' });
  const script = `
    const { builtinModules } = require('node:module');
    const load = require('node:module')._load;
    const loaded = [];
    require('node:module')._load = (name, ...rest) => (loaded.push(name), load(name, ...rest));
    const names = ['nextcache', 'nextcache/metrics', 'nextcache/invalidation'];
    const [all, { GET }, { createInvalidation }] = names.map((name) => require(name));
    const wrong = loaded.filter((name) => /^node:/.test(name) || builtinModules.includes(name));
    const { invalidateShopCache } = createInvalidation({ shop: 'shop' });
    const outcome = (promise) => promise.then(() => 'done', ({ message }) => message.slice(0, 9));
    (async () => {
      const answers = [await outcome(invalidateShopCache('why')), (await GET()).status, all.open(), all.stats()];
      for (const name of ['clear', 'metrics', 'remove', 'revalidatePath', 'revalidateTag']) answers.push(await outcome(all[name]('x')));
      console.log(JSON.stringify({ wrong, answers, names: ['close', 'configure'].map((name) => typeof all[name]) }));
    })();`;
  const { stdout, stderr } = await runScript(script, { cwd: dir, args: ['--conditions=edge-light'] });
  const refused = 'nextcache';
  assert.deepEqual(JSON.parse(stdout || '{}'), {
    wrong: [],
    answers: [refused, 501, false, null, refused, refused, refused, refused, refused],
    names: ['function', 'function'],
  }, stderr);
});

test('a bundled copy works on the cache that the handlers have open', async () => {
  const dir = project({ addon: 'whole' });
  // A second copy of the JavaScript, as a bundler makes one, without the addon.
  const bundle = path.join(dir, 'bundle');
  fs.cpSync(path.join(dir, 'node_modules', 'nextcache'), bundle, { recursive: true, filter: (file) => !file.endsWith('.node') });
  const { stdout, stderr } = await runScript(
    `
    const CacheHandler = require('nextcache/cache-handler');
    process.env.__NEXT_BUNDLER = 'Turbopack';
    const bundled = require('./bundle');
    delete process.env.__NEXT_BUNDLER;
    (async () => {
      const before = bundled.open();
      new CacheHandler({});
      const context = { fetchCache: true, tags: ['t'] };
      const key = 'a'.repeat(64);
      await new CacheHandler({}).set(key, { kind: 'FETCH', data: {}, revalidate: 60 }, context);
      await bundled.revalidateTag('t');
      const found = await new CacheHandler({}).get(key, { kind: 'FETCH', tags: [] });
      console.log(JSON.stringify([before, bundled.open(), bundled.stats().marks, found]));
    })();`,
    { cwd: dir, env: { NEXT_CACHE_DIR: path.join(dir, 'cache') } },
  );
  assert.equal(stdout.trim(), '[false,true,1,null]', stderr);
});
