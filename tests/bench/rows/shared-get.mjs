// What a machine pays for an entry that another one made: over one Redis.
import { entriesOf, entryOf, GOAL_SHAPES, SHAPES } from '../lib/entries.mjs';
import { atMost } from '../lib/goals.mjs';
import { each } from '../lib/timing.mjs';

const KEYS_MAX = 500;
const BYTES = 8 * 2 ** 20;
// After fewer the compiler's threads still spend more than the gets, of every subject.
const WARM_UP_BYTES = 100 * 2 ** 20;
const WARM_UP_MAX = 8000;
const COLD_WARM_UP = 20;
const COLD_KEYS = 100;

export const title = 'get: over the network';
export const about = `Another process has stored the entries on Redis. Every round is a new process with an empty directory, which reads
other keys first (8000, or 100 MB of them), so that what it runs is compiled, and then each of 20 to 500 keys once: each get
goes over Redis, with every subject. That of nextcache also puts what it read into memory and onto the disk. The
last line is the same after twenty other keys: what the first gets of a process cost. CPU is that of all
threads of the process; what Redis spends is left out.`;
export const subjects = ['nextcache-shared', 'trieb', 'fortedigital', 'iovalkey'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs' };
export const fresh = true;
export const keepsRedis = true;

const COLD = 'fetch 2 KB, first of a process';

/** As many as have so many bytes together. */
const most = (count, bytes, shape) => Math.min(count, Math.floor(bytes / SHAPES[shape].bytes));

export function settings({ smoke }) {
  const warm = GOAL_SHAPES.map((shape) => ({
    label: SHAPES[shape].label,
    shape,
    keys: smoke ? 10 : most(KEYS_MAX, BYTES, shape),
    warmUp: smoke ? COLD_WARM_UP : most(WARM_UP_MAX, WARM_UP_BYTES, shape),
  }));
  return [...warm, { label: COLD, shape: 'fetch-2', keys: smoke ? 10 : COLD_KEYS, warmUp: COLD_WARM_UP }];
}

export async function fill(cache, { shape, keys, warmUp }) {
  for (const [i, entry] of entriesOf(shape, keys + warmUp).entries()) {
    await cache.set(entry);
    if (i % 20 === 0) await cache.settled?.();
  }
  await cache.settled?.();
}

export async function begin(cache, { shape, keys, warmUp }) {
  for (let i = 0; i < warmUp; i += 1) {
    if (!cache.valueOf(await cache.get(entryOf(shape, keys + i)))) throw new Error('what another process stored is missing');
  }
  return entriesOf(shape, keys);
}

export const round = (cache, { keys }, entries) =>
  each(keys, async (i) => {
    if (!cache.valueOf(await cache.get(entries[i]))) throw new Error('what another process stored is missing');
  });

export const goals = (figures) =>
  ['@trieb.work (Redis)', '@fortedigital (Redis)'].map((other) =>
    atMost(figures, { number: 16, what: `CPU of a get over Redis, beside ${other}`, metric: 'cpu', subject: 'nextcache (Redis)', other, limit: 0.5, limits: { [COLD]: null } }));
