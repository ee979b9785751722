'use strict';
// Four machines, and invalidations while the server's connections are cut all the time.
// From the moment that the log has arrived at a machine up to an invalidation, nothing
// older is served by it, from any tier. How long that takes is measured and printed.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { eventually } = require('../node/support');
const { agreed, get, ready } = require('./lib/fetches');
const { startPod, stopPods } = require('./lib/peer');
const { startServer, stopServers } = require('./lib/server');

const long = Boolean(process.env.NXC_TEST_LONG);
const ROUNDS = long ? 10000 : 1000;
const KILL_EVERY = 20; // rounds, and at any moment in them
const KEYS = 100;

after(async () => {
  await stopPods();
  await stopServers();
});

/** Stores something old, here and on the way to the server. */
const makeOld = ({ handler, key, value, setting }, k, i) => handler().set(key(`k${k}`), value(`old ${i}`), setting([`t${k}`]));

/** Invalidates: when that returned. */
async function invalidate({ nextcache }, k) {
  try {
    await nextcache.revalidateTag(`t${k}`);
    return { at: process.hrtime.bigint() };
  } catch (error) {
    return { error: error.code };
  }
}

/** Waits for that place, and looks at once, and again when what is on the way may have come. */
async function look({ engine, handler, key, asked, pause }, k, position) {
  const [wanted, number] = position.split('-').map(Number);
  const has = () => {
    const [ms, n] = engine().remoteStats().position.split('-').map(Number);
    return ms > wanted || (ms === wanted && n >= number);
  };
  const until = Date.now() + 20000;
  while (!has()) {
    if (Date.now() > until) return { lost: true };
    await new Promise(setImmediate);
  }
  const at = process.hrtime.bigint();
  const read = async () => (await handler().get(key(`k${k}`), asked([`t${k}`])))?.value.data.body;
  const stale = [await read(), await read()];
  if (k % 10 === 0) {
    await pause(5);
    stale.push(await read());
  }
  return { at, stale: stale.filter((body) => body !== undefined) };
}

/** Up to where the log has to be read. The one who asks is cut off like all others. */
async function endOfLog(server) {
  for (;;) {
    const text = await server.ask('XREVRANGE', 'nextcache:{t}:log', '+', '-', 'COUNT', '1').catch(() => '');
    const id = /\d{13}-\d+/.exec(text);
    if (id) return id[0];
  }
}

const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];

async function run(rounds, killing) {
  const server = await startServer();
  const pods = await Promise.all([0, 1, 2, 3].map(() => startPod({ url: server.url })));
  await ready(...pods);
  let kills = 0;
  const killSoon = () =>
    setTimeout(() => server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').then(() => kills++, () => {}), Math.random() * 10);
  const seen = { lags: [], stale: 0, lost: 0, refused: 0 };
  for (let i = 0; i < rounds; i++) {
    const k = i % KEYS;
    if (killing && i % KILL_EVERY === 0) killSoon();
    await Promise.all(pods.map((pod) => pod.run(makeOld, k, i)));
    const told = await pods[i % pods.length].run(invalidate, k);
    if (told.error) {
      seen.refused++; // nobody was told that it is global
      continue;
    }
    const position = await endOfLog(server);
    for (const { at, stale, lost } of await Promise.all(pods.map((pod) => pod.run(look, k, position)))) {
      if (lost) seen.lost++;
      else seen.lags.push(Math.max(0, Number(at - told.at) / 1e6));
      seen.stale += stale?.length ?? 0;
      if (stale?.length > 0) console.log(`round ${i}: ${stale}`);
    }
  }
  await ready(...pods);
  // What could not be sent at once is sent by now: the last word on every key was an invalidation.
  await eventually(async () => (await Promise.all(pods.map((pod) => pod.stats()))).every(({ unsent }) => unsent === 0));
  await agreed(...pods);
  for (const pod of pods) {
    for (let k = 0; k < Math.min(KEYS, rounds); k++) if ((await get(pod, `k${k}`, [`t${k}`])) !== null) seen.stale++;
  }
  seen.lags.sort((x, y) => x - y);
  const [median, late, worst] = [0.5, 0.999, 1].map((p) => percentile(seen.lags, p).toFixed(2));
  console.log(`${rounds} invalidations, ${kills} times all connections cut: lag median ${median} ms, p99.9 ${late} ms, ` +
    `largest ${worst} ms; ${seen.refused} not sent at once, ${seen.stale} stale, ${seen.lost} lost`);
  await stopPods();
  await stopServers();
  return { ...seen, kills };
}

test('while connections are cut, nothing invalidated is served and nothing is lost', async () => {
  const { stale, lost, kills, lags, refused } = await run(ROUNDS, true);
  assert.deepEqual({ stale, lost }, { stale: 0, lost: 0 });
  assert.ok(kills > ROUNDS / 200, 'connections were cut');
  assert.ok(lags.length > ROUNDS * 2, `${refused} were not sent`);
});

test('on a quiet network the lag is one of milliseconds', async () => {
  const { stale, lost, lags, refused } = await run(ROUNDS / 5, false);
  assert.deepEqual({ stale, lost, refused }, { stale: 0, lost: 0, refused: 0 });
  assert.ok(percentile(lags, 0.5) < 1000); // of machines that do nothing else, see what is printed
});
