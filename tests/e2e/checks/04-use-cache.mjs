// 'use cache': default, remote and a kind of the app's own; by time, by tag, in
// several processes and after a restart.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { flightClients, hasViewOf } from '../lib/flight-clients.mjs';
import { workFolder } from '../lib/install.mjs';
import { WallClock } from '../lib/wallclock.mjs';
import { atLeast, numbers } from '../lib/versions.mjs';
import { shows, sameRender, sleep, until } from '../lib/feature.mjs';
import { invalidateUnderLoad } from '../lib/under-load.mjs';

const builds = ['use-cache'];
const KINDS = ['item', 'remote', 'own', 'unicode', 'large'];
const TAGS = { item: 'item-part', remote: 'remote-part', own: 'own-part', unicode: 'größe', large: 'large-part' };
const IN_MEMORY = 'results live in the memory of one process, and are gone when it ends';
const ONE_PROCESS = 'tags are known to one process only, and so are the results';
export const RESULTS_INSIDE = 'the shell of a route keeps the results that the build put inside, whatever became of their tags';

/** What /parts shows of each kind: {item: [value, made], …}. */
const parts = (page) => Object.fromEntries(KINDS.map((name) => [name, [page.data(name), page.data(`${name}-made`)]]));

const change = (t, value) => KINDS.forEach((name) => t.origin.set(`${name}/part`, value));

const results = {
  id: 'use-cache', title: "'use cache'", builds,
  async run(t) {
    const site = t.site();
    const server = await site.start();
    await t.check('results of every kind are kept', async () => {
      const first = await server.get('/parts');
      assert.equal(first.status, 200);
      change(t, '2');
      assert.deepEqual(parts(await server.get('/parts')), parts(first));
      assert.equal(first.data('length'), String(20000 * 'é€😀 '.length));
      assert.equal(first.data('item'), '1', first.text.slice(0, 1000));
    });
    await t.check('each obeys its tag, and only its own', async () => {
      let before = parts(await server.get('/parts'));
      for (const [name, tag] of Object.entries(TAGS)) {
        await server.revalidateTag(tag);
        const now = parts(await server.get('/parts'));
        assert.equal(now[name][0], '2', name);
        assert.deepEqual({ ...now, [name]: 0 }, { ...before, [name]: 0 }, `others than ${name}`);
        assert.deepEqual(parts(await server.get('/parts')), now, 'and is kept again');
        before = now;
      }
    });
    await t.check('a result is renewed by time', async () => {
      const before = (await server.get('/parts')).data('short');
      t.origin.set('short/part', 'new');
      assert.notEqual(before, 'new');
      await sleep(1200);
      assert.equal((await until(() => server.get('/parts'), (page) => page.data('short') === 'new')).data('short'), 'new');
    });
    await t.check('pages of the build and pages made on demand', async () => {
      const page = await server.get('/item/a');
      shows(page, '1');
      assert.ok(site.prerendered('app', 'item/a').includes(page.made), 'made by the build');
      sameRender(page, await server.navigate('/item/a'));
      const made = await server.get('/item/new');
      shows(made, '1');
      sameRender(made, await server.get('/item/new'));
      for (const id of ['a', 'new']) {
        t.origin.set(`item/${id}`, '2');
        await server.revalidateTag(`item-${id}`);
        shows(await server.get(`/item/${id}`), '2', id);
      }
      shows(await server.get('/plain'), '1');
      t.origin.set('item/plain', '2');
      await server.revalidatePath('/plain');
      shows(await server.get('/plain'), '2', 'by path');
    }, { own: RESULTS_INSIDE });
    await t.check('a function that throws leaves nothing behind', async () => {
      t.origin.down = true;
      await server.get('/item/broken');
      t.origin.down = false;
      shows(await until(() => server.get('/item/broken'), (page) => page.value === '1'), '1');
    });
    await t.check('updateTag in a server action: the answer is fresh', async () => {
      shows(await server.get('/actions'), '1');
      t.origin.set('item/action', '2');
      shows(await server.submit('/actions'), '2', 'the answer');
      const page = await server.get('/actions');
      shows(page, '2');
      sameRender(page, await server.get('/actions'));
    });
  },
};

const bytes = {
  id: 'use-cache-bytes', title: "'use cache': bytes that a page is given", builds,
  async run(t) {
    const server = await t.site().start();
    await t.check('a page that turns them round does so to its own, of each kind and alignment', async () => {
      const first = await server.get('/bytes');
      shows(first, 'as stored');
      for (let i = 0; i < 4; i += 1) {
        const page = await server.get('/bytes');
        shows(page, 'as stored');
        sameRender(page, first);
      }
    }, { own: 'all readers of a result are given the same bytes' });
    if (t.engine === 'next') return;
    await t.check('what is taken for text is never given out as it is, by any reader of this Next.js', async () => {
      const modules = join(workFolder, t.version, 'node_modules');
      const { isAllText } = createRequire(import.meta.url)(join(modules, 'nextcache/lib/flight.js'));
      const clients = flightClients(join(modules, 'next'));
      assert.ok(clients.length >= 12, `${clients.length} readers`);
      for (const { name, read } of clients) {
        let [texts, views] = [0, 0];
        for (let code = 0; code < 256; code += 1) {
          for (const end of ['', '\n']) {
            // Sixteen bytes, at a multiple of sixteen.
            const row = Buffer.from(`1:${String.fromCharCode(code)}10,`, 'latin1');
            const before = `2:"${'x'.repeat(27 - row.length)}"\n`;
            const chunk = new Uint8Array(Buffer.concat([Buffer.from(before), row, Buffer.from(`${'1'.repeat(16)}${end}0:{"a":"$1"}\n`)]));
            const isText = isAllText(Buffer.from(chunk));
            const isView = hasViewOf(chunk, await read(chunk));
            assert.ok(!isText || !isView, `${name}: tag ${code}`);
            if (isText) texts += 1;
            if (isView) views += 1;
          }
        }
        assert.ok(texts > 10 && views >= 12, `${name}: ${texts} rows of text, ${views} views`);
      }
    });
  },
};

const processes = {
  id: 'use-cache-processes', title: "'use cache' in two processes and after a restart", builds,
  async run(t) {
    const site = t.site();
    const [one, two] = [await site.start(), await site.start()];
    await t.check('what one has made, the other serves', async () => {
      const first = parts(await one.get('/parts'));
      change(t, '2');
      assert.deepEqual(parts(await two.get('/parts')), first);
    }, { own: IN_MEMORY });
    await t.check('an invalidation in one is obeyed by the very next request in the other', async () => {
      for (const server of [one, two]) await server.get('/item/b');
      t.origin.set('item/b', '2');
      for (const tag of [...Object.values(TAGS), 'item-b']) await one.revalidateTag(tag);
      const seen = parts(await two.get('/parts'));
      for (const name of KINDS) assert.equal(seen[name][0], '2', name);
      shows(await two.get('/item/b'), '2', 'a page of the build');
      assert.deepEqual(parts(await one.get('/parts')), seen);
    }, { own: ONE_PROCESS });
    if (numbers(t.version)[0] >= 16) {
      await t.check("revalidateTag(tag, 'max') in one: the other shows the old result at most until it is renewed", async () => {
        t.origin.set('item/part', '3');
        await one.revalidateTag('item-part', 'max');
        await two.get('/parts');
        assert.equal((await until(() => two.get('/parts'), (page) => page.data('item') === '3')).data('item'), '3');
        assert.equal((await until(() => one.get('/parts'), (page) => page.data('item') === '3')).data('item'), '3');
      }, { own: ONE_PROCESS });
    }
    await t.check('results and invalidations survive kill -9', async () => {
      // A renewal that both processes have begun goes on after the first of them has shown.
      let asked;
      await until(async () => {
        const seen = asked;
        asked = t.origin.asked('item/part');
        await sleep(1000);
        return asked === seen;
      }, Boolean);
      const before = parts(await one.get('/parts'));
      change(t, '4');
      await one.revalidateTag('remote-part');
      await Promise.all([one.kill(), two.kill()]);
      const after = parts(await (await site.start()).get('/parts'));
      assert.equal(after.remote[0], '4');
      assert.deepEqual({ ...after, remote: 0 }, { ...before, remote: 0 });
    }, { own: IN_MEMORY });
  },
};

const overtaken = {
  id: 'use-cache-overtaken', title: "'use cache': what an invalidation overtakes is not kept", builds,
  async run(t) {
    const site = t.site();
    const [one, two] = [await site.start(), await site.start()];
    const nested = (steps, id) => `/nested?do=${steps}&id=${id}`;
    /** Starts a request that hangs at the origin, and gives back how to end it. */
    const held = async (path, name) => {
      const before = t.origin.asked(name);
      const release = t.origin.hang(name);
      const answer = one.get(path);
      await until(() => t.origin.asked(name), (times) => times > before);
      return () => {
        release();
        return answer;
      };
    };
    /** The value was changed and its tag marked; what is asked now is new, in both. */
    const renewed = async (steps, id) => {
      for (const server of [one, two]) for (const which of steps) shows(await server.get(nested(which, id)), '2', which);
    };
    await t.check('a result whose generation began before', async () => {
      const end = await held(nested('item', 'late'), 'item/late');
      t.origin.set('item/late', '2');
      await two.revalidateTag('item-late');
      shows(await end(), '1', 'the request that was under way');
      await renewed(['item', 'outer'], 'late');
    }, { own: ONE_PROCESS });
    await t.check('a result that joined it, though its own generation began after', async () => {
      const end = await held(nested('item', 'join'), 'item/join');
      t.origin.set('item/join', '2');
      await two.revalidateTag('item-join');
      const joined = one.get(nested('gate,outer', 'join'));
      await until(() => t.origin.asked('gate'), (times) => times > 0);
      await sleep(300); // that it has joined cannot be seen
      await end();
      await joined;
      await renewed(['outer', 'item'], 'join');
    }, { own: ONE_PROCESS });
    await t.check('a result made from what the same request had read before', async () => {
      const end = await held(nested('item,gate,outer', 'again'), 'gate');
      t.origin.set('item/again', '2');
      await two.revalidateTag('item-again');
      await end();
      await renewed(['outer', 'item'], 'again');
    }, { own: ONE_PROCESS });
    if (numbers(t.version)[0] >= 16) {
      await t.check('a result made from one that was stale dies with it', async () => {
        // Kept before, and renewed behind the answer; or made by a request that was given the stale one.
        for (const [id, steps, kept] of [['renewed', 'outer', ['item', 'outer']], ['made', 'item,outer', ['item']]]) {
          for (const which of kept) await one.get(nested(which, id));
          t.origin.set(`item/${id}`, '2');
          const release = t.origin.hang(`item/${id}`);
          await two.revalidateTag(`item-${id}`, { expire: 3 });
          const deadline = Date.now() + 3000;
          const answer = one.get(nested(steps, id));
          await sleep(500); // in which it is made, or waits for the origin
          release();
          await answer;
          await sleep(deadline + 100 - Date.now());
          await renewed(['outer', 'item'], id);
        }
      }, { own: ONE_PROCESS });
    }
    await t.check('under load nothing older than an invalidation is served, by either process', async () => {
      const judge = (page, path, oldest) => {
        if (page.status !== 200) return `status ${page.status}`;
        return Number(page.value) >= oldest ? undefined : `${page.value} instead of ${oldest}`;
      };
      const paths = ['/item/busy', nested('item', 'busy'), nested('outer', 'busy')];
      await invalidateUnderLoad(t, [one, two], { paths, judge, names: ['item/busy'], invalidate: (server) => server.revalidateTag('item-busy') });
    }, { own: ONE_PROCESS });
  },
};

const clocks = {
  id: 'use-cache-clocks', title: "'use cache', the wall clock stepped between the starts of two processes", builds,
  async run(t) {
    for (const hours of [1, -1]) {
      const clock = new WallClock();
      const site = t.site();
      const one = await site.start(clock.env);
      clock.step(hours * 3600_000);
      const two = await site.start(clock.env);
      await t.check(`${hours > 0 ? 'forward' : 'back'} by an hour: ages and tags are right in both`, async () => {
        for (const [maker, reader, value] of [[one, two, '2'], [two, one, '3']]) {
          const made = parts(await maker.get('/parts'));
          assert.deepEqual(parts(await reader.get('/parts')), made, 'kept');
          t.origin.set('short/part', value);
          await sleep(1200);
          assert.equal((await until(() => reader.get('/parts'), (page) => page.data('short') === value)).data('short'), value, 'by time');
          change(t, value);
          for (const tag of Object.values(TAGS)) await maker.revalidateTag(tag);
          const seen = parts(await reader.get('/parts'));
          for (const name of KINDS) assert.equal(seen[name][0], value, name);
          assert.deepEqual(parts(await maker.get('/parts')), seen, 'kept after the mark');
        }
      }, { own: ONE_PROCESS });
      await Promise.all([one.stop(), two.stop()]);
      clock.close();
      t.origin.reset();
    }
  },
};

const development = {
  id: 'use-cache-dev', title: "'use cache' in next dev", builds,
  async run(t) {
    const server = await t.site().dev();
    await t.check('results are kept, and each obeys its tag', async () => {
      const first = parts(await server.get('/parts'));
      assert.equal(first.item[0], '1');
      change(t, '2');
      assert.deepEqual(parts(await server.get('/parts')), first);
      await server.revalidateTag(TAGS.item);
      const now = parts(await server.get('/parts'));
      assert.equal(now.item[0], '2');
      assert.deepEqual({ ...now, item: 0 }, { ...first, item: 0 }, 'and only its own');
      assert.deepEqual(parts(await server.get('/parts')), now, 'and is kept again');
    });
  },
};

export const features = [results, bytes, processes, overtaken, clocks, development].map((feature) => ({
  ...feature, absent: (version) => (atLeast(version, '15.0.0') ? undefined : "'use cache' came with 15"),
}));
