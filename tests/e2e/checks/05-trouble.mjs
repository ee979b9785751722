// When something is wrong, and how one finds out what the cache does.
import assert from 'node:assert/strict';
import { closeSync, cpSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { shows, sameRender, stored, until } from '../lib/feature.mjs';

const builds = ['webpack'];

async function works(t, server) {
  shows(await server.get('/blog/a'), '1');
  const made = await server.get('/blog/made');
  await stored(t);
  sameRender(made, await server.get('/blog/made'));
  t.origin.set('post/made', '2');
  await server.revalidateTag('post-made');
  shows(await server.get('/blog/made'), '2');
  assert.equal((await server.get('/fetches')).data('tagged'), '1');
  assert.equal((await server.get('/api/cached')).status, 203);
  shows(await server.get('/p/made'), '1');
}

const fallback = {
  id: 'fallback', title: "Without the addon, or on purpose, Next's own cache takes over", builds, ours: true,
  async run(t) {
    await t.check('the addon is missing: the site works, and one line says so', async () => {
      const site = t.site();
      const copy = join(site.folder, 'node_modules/nextcache');
      cpSync(join(site.folder, '../node_modules/nextcache'), copy, { recursive: true });
      rmSync(join(copy, 'nextcache.node'));
      const server = await site.start();
      await works(t, server);
      assert.equal(server.log.match(/nextcache:/g)?.length, 1, server.log);
      assert.match(server.log, /nextcache: engine=next: the native cache cannot be loaded, Next's own cache takes over/);
    });
    t.origin.reset();
    await t.check('NEXT_CACHE_ENGINE=next: the same', async () => {
      const server = await t.site().start({ NEXT_CACHE_ENGINE: 'next' });
      await works(t, server);
      assert.equal(server.log.match(/nextcache:/g)?.length, 1, server.log);
      assert.match(server.log, /nextcache: engine=next: Next's own cache is in use/);
    });
  },
};

const data = (site) => {
  const v1 = join(site.cache, 'v1');
  return readdirSync(v1).filter((name) => name.startsWith('data-')).map((name) => join(v1, name));
};

/** One bit in every few bytes of what has been written. */
function damage(file) {
  const fd = openSync(file, 'r+');
  const bytes = Buffer.alloc(2 ** 20);
  const length = readSync(fd, bytes, 0, bytes.length, 0);
  for (let at = 99; at < length; at += 100) bytes[at] ^= 1;
  writeSync(fd, bytes, 0, length, 0);
  closeSync(fd);
}

const directory = {
  id: 'directory', title: 'A cache directory in trouble is never the reason of an error', builds, ours: true,
  async run(t) {
    const lines = (server) => server.log.match(/^nextcache: (?!ready).*$/gm) ?? [];
    const paths = ['/blog/a', '/blog/made', '/p/one', '/p/made', '/fetches', '/api/item/1', '/me'];
    const allAnswer = async (server, when) => {
      for (const path of paths) assert.equal((await server.get(path)).status, 200, `${path} ${when}\n${server.log.slice(-1000)}`);
    };
    await t.check('one that cannot be: the site works from memory, and one line says so', async () => {
      const server = await t.site().start({ NEXT_CACHE_DIR: '/dev/null/cache' });
      await works(t, server);
      await allAnswer(server, 'without a directory');
      assert.equal(new Set(lines(server)).size, 1, server.log); // again after a minute
      assert.match(lines(server)[0], /cannot use the cache directory .* the cache lives in memory only/);
    });
    t.origin.reset();
    await t.check('one whose data is damaged: what cannot prove itself is made anew', async () => {
      const site = t.site();
      const before = await site.start();
      await allAnswer(before, 'before');
      await before.stop();
      for (const file of data(site)) damage(file);
      const after = await site.start();
      for (let n = 0; n < 2; n += 1) await allAnswer(after, 'on damaged data');
      shows(await after.get('/blog/made'), '1');
      await works(t, after);
    });
    t.origin.reset();
    await t.check('one that is removed while pages are served', async () => {
      const site = t.site();
      const server = await site.start();
      await allAnswer(server, 'before');
      rmSync(site.cache, { recursive: true });
      for (let n = 0; n < 3; n += 1) await allAnswer(server, 'after');
      t.origin.set('post/made', '2');
      await server.revalidateTag('post-made');
      shows(await server.get('/blog/made'), '2');
    });
  },
};

const useCacheFallback = {
  id: 'use-cache-fallback', title: "'use cache' without the addon", builds: ['use-cache'], ours: true,
  async run(t) {
    await t.check('the site works, and one line says so', async () => {
      const site = t.site();
      const copy = join(site.folder, 'node_modules/nextcache');
      cpSync(join(site.folder, '../node_modules/nextcache'), copy, { recursive: true });
      rmSync(join(copy, 'nextcache.node'));
      const server = await site.start();
      const first = await server.get('/parts');
      assert.equal(first.data('item'), '1');
      assert.equal((await server.get('/parts')).data('item-made'), first.data('item-made'));
      shows(await server.get('/item/a'), '1');
      t.origin.set('item/part', '2');
      await server.revalidateTag('item-part');
      assert.equal((await server.get('/parts')).data('item'), '2');
      assert.equal(server.log.match(/nextcache:/g)?.length, 1, server.log);
    });
  },
};

const debugging = {
  id: 'debug', title: 'NEXT_PRIVATE_DEBUG_CACHE=1 says why a look-up missed', builds, ours: true,
  async run(t) {
    const server = await t.site().start({ NEXT_PRIVATE_DEBUG_CACHE: '1' });
    const says = (pattern) => until(() => server.log, (log) => pattern.test(log)).then((log) => assert.match(log, pattern));
    await t.check('absent, then a hit, then dead by which tag', async () => {
      await server.get('/blog/why');
      await says(/blog\/why.*miss.*absent/);
      await server.get('/blog/why');
      await says(/blog\/why.*hit/);
      await server.revalidateTag('post-why');
      await server.get('/blog/why');
      await says(/blog\/why.*miss.*tag.*post-why/);
      await server.get('/fetches');
      await says(/FETCH.*miss.*absent/);
      await server.revalidateTag('tagged');
      await server.get('/fetches');
      await says(/FETCH.*miss.*tag.*tagged/);
    });
  },
};

export const features = [fallback, directory, useCacheFallback, debugging];
