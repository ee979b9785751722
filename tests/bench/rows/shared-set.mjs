// Storing what other machines are to have: over one Redis.
import { entriesOf } from '../lib/entries.mjs';
import { atMost } from '../lib/goals.mjs';
import { each } from '../lib/timing.mjs';
import { settings as sharedSettings } from './shared-get.mjs';

export const title = 'set: over the network';
export const about = `One set after the other, each awaited, of keys that exist with new content, and at the end until Redis has the last:
nextcache sends what it has stored, in memory and on disk, after the set has resolved. CPU is that of all threads of the process.`;
export const subjects = ['nextcache-shared', 'trieb', 'fortedigital'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs until it resolves' };
export const keepsRedis = true;
export const settings = sharedSettings;

export function begin(_cache, { shape, keys }) {
  const entries = entriesOf(shape, keys);
  const others = entriesOf(shape, keys, keys);
  return [entries, entries.map((entry, i) => ({ ...entry, value: others[i].value }))];
}

export async function round(cache, { keys }, versions, number) {
  const cpu = process.cpuUsage();
  const { wall } = await each(keys, (i) => cache.set(versions[(number + 2) % 2][i]));
  await cache.settled?.();
  const { user, system } = process.cpuUsage(cpu);
  return { wall, cpu: (user + system) / keys };
}

export const goals = (figures) =>
  ['@trieb.work (Redis)', '@fortedigital (Redis)'].map((other) =>
    atMost(figures, { number: 7, what: `CPU of a set over Redis, beside ${other}`, metric: 'cpu', subject: 'nextcache (Redis)', other, limit: 0.5 }));
