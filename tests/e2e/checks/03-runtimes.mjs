// The ways in which people run a built app, and what lives beside its pages.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { numbers } from '../lib/versions.mjs';
import { shows, sameRender, stored } from '../lib/feature.mjs';

const ours = (t) => t.engine === 'nextcache';

/** What every way of running has to do: the build's pages, new ones, tags. */
async function works(t, server) {
  const page = await server.get('/blog/a');
  shows(page, '1');
  assert.equal(page.cache, 'HIT');
  const made = await server.get('/blog/made');
  shows(made, '1');
  await stored(t);
  sameRender(made, await server.get('/blog/made'));
  shows(await server.navigate('/blog/made'), '1');
  shows(await server.get('/p/two'), '1');
}

async function obeys(t, server, slug) {
  await server.get(`/blog/${slug}`);
  t.origin.set(`post/${slug}`, '2');
  await server.revalidateTag(`post-${slug}`);
  shows(await server.get(`/blog/${slug}`), '2');
}

/** Not a word of trouble in a log. */
function quiet(server) {
  assert.ok(!/nextcache: (?!ready|engine=next: Next's own cache is in use)|⨯|Error:/.test(server.log), server.log);
}

const standalone = {
  id: 'standalone', title: "output: 'standalone'", builds: ['webpack', 'turbopack'],
  async run(t) {
    const site = t.standaloneSite();
    let server = await site.serve();
    await t.check('alone in a folder of its own it has all it needs', async () => {
      await works(t, server);
      await obeys(t, server, 'b');
      quiet(server);
      if (ours(t)) assert.ok(existsSync(join(site.cache, 'v1/index')), 'its cache is its own');
      assert.doesNotMatch(t.built.buildLog(), /whole project was traced|unexpected file in NFT/i);
    });
    await t.check('entries survive its restart', async () => {
      const page = await server.get('/blog/made');
      await server.kill();
      server = await site.serve();
      sameRender(page, await server.get('/blog/made'));
    });
  },
};

const custom = {
  id: 'custom-server', title: 'A custom server', builds: ['webpack'],
  async run(t) {
    const server = await t.site().serve();
    await t.check('pages, entries and tags', async () => {
      await works(t, server);
      await obeys(t, server, 'b');
      quiet(server);
    });
  },
};

/** A page of each worker of a cluster. */
async function ofEachWorker(server, path) {
  const pages = new Map();
  for (let n = 0; n < 200 && pages.size < 2; n += 1) {
    const page = await server.get(path);
    const pid = page.headers.get('x-pid');
    if (!pages.has(pid)) pages.set(pid, page);
  }
  assert.equal(pages.size, 2, 'both workers answered');
  return [...pages.values()];
}

const cluster = {
  id: 'cluster', title: 'A cluster', builds: ['webpack'],
  async run(t) {
    const server = await t.site().serve({ E2E_WORKERS: '2' });
    await t.check('what one worker made, the other serves', async () => {
      await server.get('/blog/made');
      await stored(t);
      const [first, second] = await ofEachWorker(server, '/blog/made');
      sameRender(first, second);
    });
    await t.check('an invalidation in one is seen in both', async () => {
      for (const slug of ['a', 'made']) {
        await ofEachWorker(server, `/blog/${slug}`);
        t.origin.set(`post/${slug}`, '2');
        await server.revalidateTag(`post-${slug}`);
        for (const page of await ofEachWorker(server, `/blog/${slug}`)) shows(page, '2', slug);
      }
      quiet(server);
    }, { own: 'tags are known to one process only: the other worker goes on with the old page' });
  },
};

const threads = {
  id: 'worker-threads', title: 'A build with experimental.workerThreads', builds: ['turbopack'],
  absent: (version) => {
    if (numbers(version)[0] === 15) return 'the build fails in Next.js itself (DATA_CLONE_ERR)';
    return numbers(version)[0] === 14 ? 'the build fails in Next.js itself (it asks a port called "undefined")' : undefined;
  },
  async run(t) {
    const site = t.site();
    assert.match(site.buildLog(), /workerThreads/, 'Next.js says that it is an experiment');
    const server = await site.start();
    await t.check('what the worker threads built is served, and obeys tags', async () => {
      await works(t, server);
      await obeys(t, server, 'b');
      quiet(server);
    });
  },
};

const edge = {
  id: 'edge', title: 'Middleware or proxy, and an edge route', builds: ['webpack', 'turbopack'],
  async run(t) {
    const server = await t.site().start();
    await t.check('middleware (edge), or proxy (Node.js, Turbopack of 16), stands before cached pages', async () => {
      const page = await server.get('/blog/a');
      shows(page, '1');
      assert.deepEqual([page.headers.get('x-before'), page.cache], ['seen', 'HIT']);
      const rewritten = await server.get('/before/blog/a');
      assert.equal(rewritten.headers.get('x-before'), 'rewritten');
      sameRender(page, rewritten);
    });
    await t.check('an edge route in the same app keeps its fetches, and obeys tags', async () => {
      assert.deepEqual((await server.get('/edge')).json, { runtime: 'edge', value: '1' });
      t.origin.set('edge', '2');
      assert.equal((await server.get('/edge')).json.value, '1');
      await server.revalidateTag('edge');
      assert.equal((await server.get('/edge')).json.value, '2');
      quiet(server);
    });
  },
};

const dev = {
  id: 'dev', title: 'next dev', builds: ['webpack'],
  async run(t) {
    const server = await t.site().dev();
    await t.check('fetches are kept and obey tags, pages are made anew', async () => {
      assert.equal((await server.get('/fetches')).data('tagged'), '1');
      t.origin.set('fetch/tagged', '2');
      assert.equal((await server.get('/fetches')).data('tagged'), '1');
      await server.revalidateTag('tagged');
      assert.equal((await server.get('/fetches')).data('tagged'), '2');
      const [first, second] = [await server.get('/'), await server.get('/')];
      assert.notEqual(first.made, second.made);
      shows(await server.get('/blog/a'), '1');
      shows(await server.get('/p/one'), '1');
      quiet(server);
    });
  },
};

const images = {
  id: 'images', title: 'Optimised images (images.customCacheHandler)', builds: ['webpack'],
  absent: (version) => {
    if (process.env.E2E_DIRECT) return 'images take the handler by its path';
    const [major, minor] = numbers(version);
    return major > 16 || (major === 16 && minor >= 2) ? undefined : 'images go to the handler since 16.2';
  },
  async run(t) {
    const site = t.site();
    const server = await site.start();
    const path = '/_next/image?url=%2Fpicture.png&w=64&q=75';
    const get = (from) => from.get(path, { accept: 'image/webp,*/*' });
    await t.check('an image is made once, for all processes and after a restart', async () => {
      const first = await get(server);
      assert.deepEqual([first.status, first.headers.get('content-type'), first.cache], [200, 'image/webp', 'MISS']);
      const second = await get(server);
      assert.equal(second.cache, 'HIT');
      assert.deepEqual(second.bytes, first.bytes);
      const other = await site.start();
      assert.equal((await get(other)).cache, 'HIT');
      await server.kill();
      const third = await get(await site.start());
      assert.equal(third.cache, 'HIT');
      assert.deepEqual(third.bytes, first.bytes);
    });
    if (ours(t)) {
      await t.check('images have a cache of their own', async () => {
        assert.ok(existsSync(join(site.cache, 'images/v1/index')));
      });
    }
  },
};

export const features = [standalone, custom, cluster, threads, edge, dev, images];
