// Several processes on one cache, one after the other and side by side: what
// one has made or invalidated, the others know.
import assert from 'node:assert/strict';
import { WallClock } from '../lib/wallclock.mjs';
import { atLeast } from '../lib/versions.mjs';
import { shows, sameRender, sleep, stored, until } from '../lib/feature.mjs';
import { invalidateUnderLoad } from '../lib/under-load.mjs';

const builds = ['webpack'];
const ONE_PROCESS = 'tags are known to one process only: another goes on with what it has';
const UNKNOWN_LIFETIME = 'before 16.4 a process knows the lifetime only of pages that it rendered itself, and shows others STALE once';

/** From the cache, and not even STALE where a process can know the lifetime. */
function fromCache(t, page, text = '') {
  const wanted = atLeast(t.version, '16.4.0') ? ['HIT'] : ['HIT', 'STALE'];
  assert.ok(wanted.includes(page.cache), `${text} x-nextjs-cache: ${page.cache}`);
}

const twoProcesses = {
  id: 'two-processes', title: 'Two processes', builds,
  async run(t) {
    const site = t.site();
    const [one, two] = [await site.start(), await site.start()];
    await t.check('what one has made, the other serves', async () => {
      const page = await one.get('/blog/shared');
      const item = await one.get('/api/item/1');
      await stored(t);
      const other = await two.get('/blog/shared');
      fromCache(t, other);
      sameRender(page, other);
      assert.equal((await two.get('/api/item/1')).json.made, item.json.made);
      await one.get('/fetches');
      t.origin.set('fetch/tagged', '2');
      t.origin.set('function/a', '2');
      const fetches = await two.get('/fetches');
      assert.deepEqual([fetches.data('tagged'), fetches.data('function')], ['1', '1']);
    });
    await t.check('revalidateTag in one is obeyed by the very next request in the other', async () => {
      for (const server of [one, two]) {
        await server.get('/blog/a');
        await server.get('/api/item/1');
        await server.get('/fetches');
      }
      for (const name of ['post/shared', 'post/a', 'item/1', 'fetch/tagged']) t.origin.set(name, '3');
      for (const tag of ['posts', 'item-1', 'tagged']) await one.revalidateTag(tag);
      shows(await two.get('/blog/shared'), '3', 'made on demand');
      shows(await two.get('/blog/a'), '3', 'prerendered');
      assert.equal((await two.get('/api/item/1')).json.value, '3');
      assert.equal((await two.get('/fetches')).data('tagged'), '3');
    }, { own: ONE_PROCESS });
    await t.check('revalidatePath in one is obeyed by the very next request in the other', async () => {
      for (const server of [one, two]) shows(await server.get('/blog/b'), '1');
      t.origin.set('post/b', '2');
      await two.revalidatePath('/blog/b');
      shows(await one.get('/blog/b'), '2');
    }, { own: ONE_PROCESS });
    await t.check('what is rendered after an invalidation is kept by all', async () => {
      const page = await one.get('/blog/b');
      await stored(t);
      sameRender(page, await one.get('/blog/b'));
      sameRender(page, await two.get('/blog/b'));
    }, { own: 'each process has a memory of its own, and looks at the files of the other only when that has no answer' });
  },
};

const KEPT = { '/blog/busy': 'post/busy', '/p/busy': 'page/busy', '/api/item/busy': 'item/busy' };

/** What an answer says: a page in an attribute, a route handler in JSON. */
const said = (page, path) => Number(path.startsWith('/api/') ? page.json.value : page.value);

const load = {
  id: 'load', title: 'Invalidations under load', builds,
  async run(t) {
    const site = t.site();
    const servers = [await site.start(), await site.start()];
    await t.check('nothing older than an invalidation is served, by either process', async () => {
      const judge = (page, path, oldest) => {
        if (page.status !== 200) return `status ${page.status}`;
        return said(page, path) >= oldest ? undefined : `${said(page, path)} instead of ${oldest} (${page.cache})`;
      };
      const invalidate = async (server) => {
        await server.revalidateTag('post-busy');
        await server.revalidateTag('item-busy');
        await server.revalidatePath('/p/busy');
      };
      await invalidateUnderLoad(t, servers, { paths: Object.keys(KEPT), names: Object.values(KEPT), judge, invalidate });
    }, { own: ONE_PROCESS });
    await t.check('what one request fetched before an invalidation and uses after it is not kept', async () => {
      const [one, two] = servers;
      const release = t.origin.hang('gate');
      const slow = one.get('/again');
      await until(() => t.origin.asked('gate'), (times) => times > 0);
      t.origin.set('again', '2');
      await two.revalidateTag('again');
      release();
      assert.equal((await slow).status, 200); // the old value, or, where Next.js 14 asks again, the new one
      for (const server of servers) shows(await server.get('/again'), '2');
    }, { own: ONE_PROCESS });
    if (t.major < 16) return;
    await t.check('what a function made from a stale fetch dies with that', async () => {
      const [one, two] = servers;
      t.origin.set('again', '3');
      const release = t.origin.hang('again');
      await two.revalidateTag('again', { expire: 3 });
      const deadline = Date.now() + 3000;
      await one.get('/again'); // both are renewed behind the answer, and the function takes the old fetch
      await sleep(300);
      release();
      await sleep(deadline + 100 - Date.now());
      for (const server of servers) shows(await server.get('/again'), '3');
    }, { own: ONE_PROCESS });
  },
};

const restart = {
  id: 'restart', title: 'Restart: entries and tags survive', builds,
  async run(t) {
    const site = t.site();
    let server = await site.start();
    const again = async (end) => {
      await server[end]();
      server = await site.start();
    };
    for (const end of ['stop', 'kill']) {
      await t.check(`entries, after ${end === 'kill' ? 'kill -9' : 'SIGTERM'}`, async () => {
        const slug = `kept-${end}`;
        const [page, item] = [await server.get(`/blog/${slug}`), await server.get(`/api/item/${slug}`)];
        const pages = await server.get(`/p/${slug}`);
        const data = (await server.get('/fetches')).data('tagged');
        t.origin.set('fetch/tagged', `${end}ed`);
        await again(end);
        const kept = await server.get(`/blog/${slug}`);
        fromCache(t, kept);
        sameRender(page, kept, 'App page');
        sameRender(pages, await server.get(`/p/${slug}`), 'page of the Pages router');
        assert.equal((await server.get(`/api/item/${slug}`)).json.made, item.json.made, 'route handler');
        assert.equal((await server.get('/fetches')).data('tagged'), data, 'fetch');
      });
    }
    await t.check('invalidations, after kill -9 and before anything was rendered', async () => {
      await server.get('/blog/marked');
      for (const slug of ['marked', 'b']) t.origin.set(`post/${slug}`, '2');
      await server.revalidateTag('posts');
      await again('kill');
      shows(await server.get('/blog/marked'), '2', 'made on demand');
      shows(await server.get('/blog/b'), '2', 'prerendered');
    }, { own: 'tags live in memory and are forgotten; the build and the files of before are served again' });
  },
};

const lifetimes = {
  id: 'lifetimes', title: 'Lifetimes across processes and restarts', builds,
  absent: (version) => (atLeast(version, '16.4.0') ? undefined : UNKNOWN_LIFETIME),
  async run(t) {
    const site = t.site();
    const one = await site.start();
    await t.check('a page made by another process has its own lifetime, not that of a stranger', async () => {
      const page = await one.get('/blog/life');
      const two = await site.start();
      const other = await two.get('/blog/life');
      assert.equal(other.cache, 'HIT');
      sameRender(page, other);
      assert.match(other.headers.get('cache-control'), /s-maxage=86400/);
      await one.kill();
      assert.equal((await (await site.start()).get('/blog/life')).cache, 'HIT');
    });
  },
};

const profiles = {
  id: 'revalidate-profile', title: "revalidateTag(tag, 'max'): STALE, then renewed, across processes", builds,
  absent: (version) => (atLeast(version, '16.0.0') ? undefined : 'revalidateTag has no profiles before 16'),
  async run(t) {
    const site = t.site();
    const [one, two] = [await site.start(), await site.start()];
    await t.check('a page: once the old one, then the new one', async () => {
      for (const server of [one, two]) for (const slug of ['a', 'max']) await server.get(`/blog/${slug}`);
      for (const slug of ['a', 'max']) {
        t.origin.set(`post/${slug}`, '2');
        await one.revalidateTag(`post-${slug}`, 'max');
        const first = await two.get(`/blog/${slug}`);
        if (atLeast(t.version, '16.4.0')) {
          assert.deepEqual([first.value, first.cache], ['1', 'STALE']);
          assert.match(first.headers.get('cache-control'), /s-maxage=1\b/);
        }
        shows(await until(() => two.get(`/blog/${slug}`), (page) => page.value === '2'), '2');
        shows(await until(() => one.get(`/blog/${slug}`), (page) => page.value === '2'), '2');
      }
    }, { own: ONE_PROCESS });
    await t.check('a fetch: at most once the old one', async () => {
      for (const server of [one, two]) await server.get('/fetches');
      t.origin.set('fetch/tagged', '2');
      await one.revalidateTag('tagged', 'max');
      await two.get('/fetches');
      assert.equal((await until(() => two.get('/fetches'), (page) => page.data('tagged') === '2')).data('tagged'), '2');
    }, { own: ONE_PROCESS });
    await t.check('while the origin is down the old page is shown until its deadline, and never again', async () => {
      for (const server of [one, two]) await server.get('/blog/deadline');
      t.origin.down = true;
      await one.revalidateTag('post-deadline', { expire: 8 });
      const deadline = Date.now() + 8000;
      for (const server of [two, one, two]) shows(await server.get('/blog/deadline'), '1', 'before');
      await sleep(deadline + 200 - Date.now());
      for (const server of [two, one, two, one]) assert.equal((await server.get('/blog/deadline')).status, 500, 'after');
      t.origin.down = false;
      t.origin.set('post/deadline', '2');
      for (const server of [two, one]) shows(await until(() => server.get('/blog/deadline'), (page) => page.value === '2'), '2');
    }, { own: ONE_PROCESS });
    await t.check('what dies while its renewal is failing is not kept by the failure', async () => {
      for (const server of [one, two]) await server.get('/blog/hang');
      const release = t.origin.hang('post/hang');
      await one.revalidateTag('post-hang', 'max');
      await two.get('/blog/hang');
      assert.equal(await until(() => t.origin.asked('post/hang'), (times) => times > 1), 2, 'the renewal is under way');
      await two.revalidateTag('post-hang');
      t.origin.down = true;
      release();
      // Requests of now are joined to the renewal that fails.
      for (const server of [two, one]) await until(() => server.get('/blog/hang'), (page) => page.status === 500);
      for (const server of [two, one, two, one]) {
        const page = await server.get('/blog/hang');
        assert.deepEqual([page.status, page.value], [500, null]);
      }
      t.origin.down = false;
      t.origin.set('post/hang', '2');
      for (const server of [two, one]) shows(await server.get('/blog/hang'), '2');
    }, { own: ONE_PROCESS });
  },
};

const actions = {
  id: 'update-tag', title: 'updateTag in a server action (revalidateTag before 16)', builds,
  async run(t) {
    const site = t.site();
    const [one, two] = [await site.start(), await site.start()];
    await t.check('the answer of the action and the next page of another process are fresh', async () => {
      for (const server of [one, two]) shows(await server.get('/actions'), '1');
      t.origin.set('post/action', '2');
      const answer = await one.submit('/actions');
      // Without scripts, Next.js 14 renders the answer before it tells any
      // handler what the action revalidated.
      if (t.major > 14) shows(answer, '2', 'the answer');
      shows(await two.get('/actions'), '2', 'in another process');
      shows(await one.get('/actions'), '2', 'in the same');
    }, { own: ONE_PROCESS });
    await t.check('what was rendered after the action is kept', async () => {
      await stored(t);
      const page = await two.get('/actions');
      sameRender(page, await two.get('/actions'));
    });
  },
};

const clocks = {
  id: 'two-clocks', title: 'Two processes, the wall clock stepped between their starts', builds,
  async run(t) {
    for (const hours of [1, -1]) {
      const clock = new WallClock();
      const site = t.site();
      const one = await site.start(clock.env);
      clock.step(hours * 3600_000);
      const two = await site.start(clock.env);
      const name = `${hours > 0 ? 'forward' : 'back'} by an hour`;
      await t.check(`${name}: entries of either have their true age in the other`, async () => {
        for (const [maker, reader, slug] of [[one, two, 'first'], [two, one, 'second']]) {
          const page = await maker.get(`/blog/${slug}`);
          await stored(t);
          const other = await reader.get(`/blog/${slug}`);
          fromCache(t, other, slug);
          sameRender(page, other, slug);
          await maker.get('/timed');
          const before = await until(() => maker.get('/timed'), (timed) => timed.cache === 'HIT');
          await sleep(1600);
          t.origin.set('timed', slug);
          assert.equal((await reader.get('/timed')).cache, 'STALE', 'a page that is too old');
          const after = await until(() => reader.get('/timed'), (timed) => timed.value === slug);
          shows(after, slug);
          assert.notEqual(after.made, before.made);
        }
      }, { own: 'each process ages by its own clock, fixed when it starts: pages of the other are an hour too old or too young' });
      await t.check(`${name}: invalidations by either are obeyed by the other, and what follows is kept`, async () => {
        for (const [marker, reader, slug] of [[one, two, 'a'], [two, one, 'b']]) {
          for (const server of [one, two]) await server.get(`/blog/${slug}`);
          t.origin.set(`post/${slug}`, '2');
          await marker.revalidateTag(`post-${slug}`);
          const page = await reader.get(`/blog/${slug}`);
          shows(page, '2');
          await stored(t);
          sameRender(page, await reader.get(`/blog/${slug}`), 'in the same');
          sameRender(page, await marker.get(`/blog/${slug}`), 'in the other');
        }
      }, { own: ONE_PROCESS });
      await Promise.all([one.stop(), two.stop()]);
      clock.close();
      t.origin.reset();
    }
  },
};

const sessions = {
  id: 'sessions', title: 'Sessions never mix', builds,
  async run(t) {
    const site = t.site();
    const servers = [await site.start(), await site.start()];
    const secrets = ['session-of-ada-0815', 'session-of-bob-4711'];
    const cookie = (secret) => ({ cookie: `session=${secret}` });
    await t.check('each sees what is theirs, and nobody what was, in two processes', async () => {
      for (let round = 0; round < 5; round += 1) {
        const asked = servers.flatMap((server) => [...secrets, undefined].map((secret) => ({ server, secret })));
        await Promise.all(asked.map(async ({ server, secret }) => {
          const page = await server.get('/me', secret ? cookie(secret) : {});
          assert.deepEqual([page.data('who'), page.data('shop')], [secret ? `Bearer ${secret}` : 'nobody', '1']);
        }));
      }
    });
    await t.check('a page that is the same for all does not carry anything of one', async () => {
      for (const server of servers) {
        for (const secret of secrets) assert.ok(!(await server.get('/blog/public', cookie(secret))).text.includes('session-of'));
      }
    });
    await t.check('no session is in any file of the cache', async () => {
      await Promise.all(servers.map((server) => server.stop()));
      assert.ok(site.cacheHolds('{"value":"1"'), 'what the shop answered to a fetch is found');
      for (const secret of [...secrets, ...secrets.map((secret) => `Bearer ${secret}`)]) assert.ok(!site.cacheHolds(secret), secret);
    });
  },
};

export const features = [twoProcesses, load, restart, lifetimes, profiles, actions, clocks, sessions];
