'use strict';
// What each release of Next.js makes of an answer, for entries whose tag was
// marked by another process, and for entries whose re-render failed. What Next
// does with an answer is written here in a few lines per release; tests/e2e
// asks the real ones.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { SteppedClock } = require('./stepped-clock');
const { startPeer } = require('./peer');
const { appPage, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, pageGet, pageSet, temporaryDirectory } = require('./support');

const KEY = fetchKey('versions');

// How a release takes a page: 'miss', 'fresh', 'stale' (served, and rendered in
// the background) or 'blocking' (rendered first). `known` is the lifetime that
// the process itself remembers for the path.
function byAge({ lastModified }, { revalidate } = { revalidate: 1 }, now) {
  return revalidate !== false && lastModified + revalidate * 1000 < now ? 'stale' : 'fresh';
}
function byAgeAndExpire(entry, known = { revalidate: 1 }, now) {
  const expired = known.expire !== undefined && entry.lastModified + known.expire * 1000 < now;
  return entry.lastModified === -1 || expired ? 'blocking' : byAge(entry, known, now);
}
const minusOneIsStale = (entry, known, now) => (entry.lastModified === -1 ? 'stale' : byAge(entry, known, now));

const RELEASES = {
  '14.2.35': { judge: minusOneIsStale, wall: true, scoped: false },
  '15.5.26': { judge: minusOneIsStale, scoped: false },
  '15.5.29': { judge: minusOneIsStale, scoped: true },
  '16.2.12': { judge: minusOneIsStale, scoped: false },
  '16.3.0': { judge: byAgeAndExpire, scoped: false },
  '16.3.8': { judge: byAgeAndExpire, scoped: true },
  '16.4.6': { judge: (entry, known, now) => byAgeAndExpire(entry, entry.cacheControl ?? known, now), scoped: true },
};

/** A site built with a release: processes of it, and how they take its pages. */
function site(t, version) {
  const { judge, wall, scoped } = RELEASES[version];
  const dir = temporaryDirectory();
  const next = path.join(dir, 'node_modules', 'next');
  fs.mkdirSync(next, { recursive: true });
  fs.writeFileSync(path.join(dir, 'package.json'), '{}');
  fs.writeFileSync(path.join(next, 'package.json'), JSON.stringify({ name: 'next', version }));
  const clock = new SteppedClock();
  const key = scoped ? '/route-cache/APP_PAGE/0123/$/page' : '/page';
  const is14 = version.startsWith('14');
  const ask = is14 ? { kindHint: 'app' } : pageGet();
  const page = (tags) =>
    is14 ? { kind: 'ROUTE', status: 200, body: Buffer.from('b'), headers: appPage(tags).headers } : appPage(tags);
  const lifetime = (control) => (is14 ? { revalidate: control.revalidate } : pageSet(control));
  const serverDistDir = fakeBuild(dir);

  async function start() {
    const peer = await startPeer({ dir, env: clock.env, serverDistDir });
    t.after(() => peer.stop());
    let known; // as Next remembers it, of sets of this process alone
    return {
      ...peer,
      page: async (name) => {
        const entry = await (name ? peer.order('getIn', name, key, ask) : peer.order('get', key, ask));
        const now = await peer.order('now');
        return entry ? judge(entry, known, wall ? now.wall : now.next) : 'miss';
      },
      render: async (control, name) => {
        known = control;
        await peer.order('setIn', name ?? `render ${Math.random()}`, key, page(['t']), lifetime(control));
      },
      failToRender: async (name, control) => {
        known = control;
        await peer.order('setAgain', name, key, lifetime(control));
      },
      mark: (durations) => peer.order('mark', ['t'], durations),
    };
  }
  return { clock, start };
}

for (const version of Object.keys(RELEASES)) {
  test(`${version}: a page stale by a tag that another process marked`, async (t) => {
    const { clock, start } = site(t, version);
    const one = await start();
    clock.step(3600000); // 14 follows the wall clock, the others do not
    const other = await start();
    for (const [revalidate, expire] of [[60, 3600], [3600, 31536000], [false, undefined]]) {
      const control = { revalidate, expire };
      await one.render(control);
      assert.equal(await one.page(), 'fresh');
      clock.move(2000);
      assert.equal(await one.page(), 'fresh', 'two seconds later');
      await other.mark({ expire: 600 });
      const taken = version.startsWith('16.3') && control.revalidate === false ? 'blocking' : 'stale';
      assert.equal(await one.page(), taken, JSON.stringify(control));
      assert.equal(await other.page(), 'stale', `${JSON.stringify(control)}, in the other process`);
      await one.render(control);
      assert.equal(await one.page(), 'fresh', 'rendered anew');
      await other.mark({ expire: 600 });
      clock.move(601000);
      for (const process of [one, other]) assert.equal(await process.page(), 'miss', 'at the deadline');
    }
    await one.render({ revalidate: 60, expire: 3600 });
    await other.mark();
    for (const process of [one, other]) assert.equal(await process.page(), 'miss', 'dead at once');
  });

  test(`${version}: a page whose re-render fails never becomes fresh, and dies at its deadline`, async (t) => {
    const { clock, start } = site(t, version);
    const [one, other] = [await start(), await start()];
    const control = { revalidate: 3600, expire: 31536000 };
    await one.render(control);
    await one.mark({ expire: 300 });
    assert.equal(await one.page('failing'), 'stale');
    await one.failToRender('failing', { revalidate: 30, expire: 31536000 });
    assert.equal(await one.page(), 'fresh', 'not to be tried again at once');
    assert.equal(await other.page(), 'stale', 'by this process alone');
    clock.move(31000);
    assert.equal(await one.page('failing'), 'stale', 'to be tried again');
    await one.failToRender('failing', { revalidate: 30, expire: 31536000 });
    clock.move(31000);
    assert.equal(await one.page('failing'), 'stale');
    clock.move(215000);
    await one.failToRender('failing', { revalidate: 30, expire: 31536000 });
    clock.move(24000); // past the deadline, and not yet to be tried again
    for (const process of [one, other]) assert.equal(await process.page(), 'miss', 'at the deadline, retained or not');
  });

  test(`${version}: an invalidation while the re-render fails`, async (t) => {
    const { clock, start } = site(t, version);
    const [one, other] = [await start(), await start()];
    await one.render({ revalidate: 3600, expire: 31536000 });
    await one.mark({ expire: 31536000 });
    assert.equal(await one.page('failing'), 'stale');
    await other.mark();
    await one.failToRender('failing', { revalidate: 30, expire: 31536000 });
    for (const process of [one, other]) assert.equal(await process.page(), 'miss');
    clock.move(3600000);
    for (const process of [one, other]) assert.equal(await process.page(), 'miss', 'and never again');
    await other.render({ revalidate: 3600, expire: 31536000 });
    assert.notEqual(await one.page(), 'miss', 'until it was rendered');
  });

  test(`${version}: a fetch stale by a tag is stale at any age that is asked for`, async (t) => {
    const { clock, start } = site(t, version);
    const [one, other] = [await start(), await start()];
    await one.order('set', KEY, fetchValue(), fetchSet(['t']));
    clock.move(1000);
    await other.mark({ expire: 600 });
    for (const process of [one, other]) {
      for (const revalidate of [60, 31536000, 4294967294]) {
        const entry = await process.order('get', KEY, fetchGet(['t'], [], revalidate));
        const now = await process.order('now');
        const age = ((RELEASES[version].wall ? now.wall : now.next) - entry.lastModified) / 1000;
        assert.ok(age > revalidate, `${age} s`);
      }
    }
    clock.move(600000);
    for (const process of [one, other]) assert.equal(await process.order('get', KEY, fetchGet(['t'])), null);
  });
}

test('16.3 and older: a page that another process rendered is fresh for one second only', async (t) => {
  const { clock, start } = site(t, '15.5.29');
  const [one, other] = [await start(), await start()];
  await one.render({ revalidate: 3600, expire: 31536000 });
  clock.move(5000);
  assert.equal(await one.page(), 'fresh');
  assert.equal(await other.page(), 'stale', 'it has not been told the lifetime, and cannot be (docs/production.md)');
});

test('16.4: the lifetime of a page is the same in every process, and after a restart', async (t) => {
  const { clock, start } = site(t, '16.4.6');
  const [one, other] = [await start(), await start()];
  await one.render({ revalidate: 60, expire: 3600 });
  clock.move(30000);
  for (const process of [one, other, await start()]) assert.equal(await process.page(), 'fresh');
  clock.move(31000);
  for (const process of [one, other, await start()]) assert.equal(await process.page(), 'stale');
  clock.move(3600000);
  for (const process of [one, other, await start()]) assert.equal(await process.page(), 'blocking', 'past its expire');
});
