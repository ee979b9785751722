'use strict';
// Next.js ages by a clock that is fixed when its process starts. Two processes
// between whose starts the wall clock was stepped disagree for ever; ages,
// STALE and tags must be right in both.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { SteppedClock } = require('./stepped-clock');
const { startPeer } = require('./peer');
const { appPage, fakeBuild, fetchGet, fetchKey, fetchSet, fetchValue, pageGet, pageSet, temporaryDirectory } = require('./support');

const HOUR_MS = 3600000;
const TOLERANCE_MS = 15000; // of a machine with much to do
const KEY = fetchKey('clocks');
const PAGE = `/route-cache/APP_PAGE/${'0123'.repeat(16)}/$/page`;

async function ageIn(peer, lastModified) {
  return (await peer.order('now')).next - lastModified;
}

async function assertAge(peer, entry, ms, what) {
  const age = await ageIn(peer, entry.lastModified ?? entry.timestamp);
  assert.ok(Math.abs(age - ms) < TOLERANCE_MS, `${what}: ${age} ms old instead of ${ms}`);
}

for (const stepMs of [HOUR_MS, -HOUR_MS]) {
  test(`two processes, the wall clock stepped by ${stepMs / HOUR_MS} h between their starts`, async (t) => {
    const dir = temporaryDirectory();
    const clock = new SteppedClock();
    const options = { dir, env: clock.env, serverDistDir: fakeBuild() };
    const first = await startPeer(options);
    t.after(() => first.stop());
    await first.order('get', KEY, fetchGet()); // opens the cache before the step
    clock.step(stepMs);
    const second = await startPeer(options);
    t.after(() => second.stop());

    const [a, b] = await Promise.all([first.order('now'), second.order('now')]);
    assert.ok(Math.abs(b.next - a.next - stepMs) < TOLERANCE_MS, 'the two disagree as they should');

    for (const [maker, reader] of [[first, second], [second, first]]) {
      await maker.order('set', PAGE, appPage(['t']), pageSet({ revalidate: 60, expire: 3600 }));
      await maker.order('set', KEY, fetchValue(), fetchSet(['t']));
      await maker.order('useCacheSet', 'u', { tags: ['t'] }, 'result');
      clock.move(30000);
      for (const [peer, who] of [[maker, 'maker'], [reader, 'reader']]) {
        await assertAge(peer, await peer.order('get', PAGE, pageGet()), 30000, `page, ${who}`);
        await assertAge(peer, await peer.order('get', KEY, fetchGet(['t'])), 30000, `fetch, ${who}`);
        await assertAge(peer, await peer.order('useCacheGet', 'u'), 30000, `use cache, ${who}`);
      }

      // Stale by a tag, in both; and no longer once it was made anew.
      await reader.order('mark', ['t'], { expire: 600 });
      for (const peer of [maker, reader]) {
        const page = await peer.order('get', PAGE, pageGet());
        const age = await ageIn(peer, page.lastModified);
        assert.ok(age > page.cacheControl.revalidate * 1000 && age < page.cacheControl.expire * 1000);
        assert.ok((await ageIn(peer, (await peer.order('get', KEY, fetchGet(['t']))).lastModified)) > 3600000);
        assert.equal((await peer.order('useCacheGet', 'u')).revalidate, -1);
      }
      await reader.order('set', PAGE, appPage(['t']), pageSet({ revalidate: 60, expire: 3600 }));
      await reader.order('useCacheSet', 'u', { tags: ['t'] }, 'result');
      for (const peer of [maker, reader]) {
        await assertAge(peer, await peer.order('get', PAGE, pageGet()), 0, 'new page');
        assert.equal((await peer.order('useCacheGet', 'u')).revalidate, 60);
      }

      // Dead at the deadline, not before it, and dead at once.
      await maker.order('set', KEY, fetchValue(), fetchSet(['t']));
      await maker.order('mark', ['t'], { expire: 600 });
      clock.move(590000);
      for (const peer of [maker, reader]) assert.ok(await peer.order('get', KEY, fetchGet(['t'])), 'before the deadline');
      clock.move(15000);
      for (const peer of [maker, reader]) {
        assert.equal(await peer.order('get', KEY, fetchGet(['t'])), null, 'after the deadline');
        assert.equal(await peer.order('useCacheGet', 'u'), undefined, 'after the deadline');
      }
      await maker.order('useCacheSet', 'u', { tags: ['t'] }, 'result');
      assert.ok(await reader.order('useCacheGet', 'u'));
      await reader.order('useCacheMark', ['t']);
      assert.equal(await maker.order('useCacheGet', 'u'), undefined);
    }
  });
}

/** A build whose page PAGE carries the tag t. */
function builtPage() {
  const serverDistDir = fakeBuild();
  const base = path.join(serverDistDir, 'app', 'page');
  const { headers } = appPage(['t']);
  fs.writeFileSync(`${base}.html`, '<p>built');
  fs.writeFileSync(`${base}.rsc`, '0:{}');
  fs.writeFileSync(`${base}.meta`, JSON.stringify({ headers, routeCache: { key: PAGE, isFallback: false } }));
  return serverDistDir;
}

test('prerendered pages die by every mark, however far the wall clock was set back since the build', async (t) => {
  const serverDistDir = builtPage();
  const dir = temporaryDirectory();
  const clock = new SteppedClock();
  const options = { dir, env: clock.env, serverDistDir };
  const first = await startPeer(options);
  t.after(() => first.stop());
  await first.order('get', KEY, fetchGet()); // it serves the build now
  clock.step(-HOUR_MS);
  const second = await startPeer(options);
  t.after(() => second.stop());
  assert.equal((await second.order('get', PAGE, pageGet())).value.html, '<p>built');
  await first.order('mark', ['t']);
  for (const peer of [first, second]) assert.equal(await peer.order('get', PAGE, pageGet()), null);
  await second.order('set', PAGE, appPage(['t'], { html: '<p>new' }), pageSet());
  await second.order('mark', ['t']);
  const third = await startPeer(options);
  t.after(() => third.stop());
  for (const peer of [first, second, third]) assert.equal(await peer.order('get', PAGE, pageGet()), null, 'superseded');
});

test('also by one that was made before anybody had looked at a page', async (t) => {
  const clock = new SteppedClock();
  const peer = await startPeer({ dir: temporaryDirectory(), env: clock.env, serverDistDir: builtPage() });
  t.after(() => peer.stop());
  await peer.order('get', KEY, fetchGet()); // it serves the build now
  clock.step(-HOUR_MS);
  await peer.order('mark', ['t']);
  assert.equal(await peer.order('get', PAGE, pageGet()), null);
});

test('an entry survives to the millisecond what it was stored with', async (t) => {
  const dir = temporaryDirectory();
  const clock = new SteppedClock();
  const peer = await startPeer({ dir, env: clock.env });
  t.after(() => peer.stop());
  const { next } = await peer.order('now');
  const timestamp = next + 0.1234;
  clock.move(1000);
  await peer.order('useCacheSet', 'u', { timestamp }, 'result');
  assert.equal((await peer.order('useCacheGet', 'u')).timestamp, timestamp, 'fractions of a millisecond included');
});
