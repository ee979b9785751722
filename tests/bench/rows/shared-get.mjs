// What a machine pays for an entry that another one made: over one Redis.
import { entriesOf, entryOf, GOAL_SHAPES, SHAPES } from '../lib/entries.mjs';
import { atMost } from '../lib/goals.mjs';
import { each } from '../lib/timing.mjs';

const WARM_UP = 20;

export const title = 'get: over the network, in a fresh process';
export const about = `Another process has stored the entries on Redis. Every round is a new process with an empty directory, which reads
twenty other keys first, and then each key once. CPU is that of the process; what Redis spends is left out.`;
export const subjects = ['nextcache-shared', 'trieb', 'fortedigital'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs' };
export const fresh = true;
export const keepsRedis = true;

export const settings = ({ smoke }) => GOAL_SHAPES.map((shape) => ({ label: SHAPES[shape].label, shape, keys: smoke ? 10 : 100 }));

export async function fill(cache, { shape, keys }) {
  for (const entry of entriesOf(shape, keys + WARM_UP)) {
    await cache.set(entry);
    await cache.settled?.();
  }
}

export async function begin(cache, { shape, keys }) {
  for (let i = 0; i < WARM_UP; i += 1) {
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
    atMost(figures, { number: 7, what: `CPU of a get over Redis, beside ${other}`, metric: 'cpu', subject: 'nextcache (Redis)', other, limit: 0.5 }));
