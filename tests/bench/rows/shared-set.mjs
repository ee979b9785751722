// Storing what other machines are to have: over one Redis.
import { entriesOf, GOAL_SHAPES, SHAPES } from '../lib/entries.mjs';
import { atMost } from '../lib/goals.mjs';
import { each } from '../lib/timing.mjs';

const SETTLE_EVERY = 50;

export const title = 'set: over the network';
export const about = `One set after the other, each awaited, of keys that exist with new content, and after fifty until Redis has the last:
nextcache sends what it has stored, in memory and on disk, after the set has resolved. CPU is that of all threads of the process.`;
export const subjects = ['nextcache-shared', 'trieb', 'fortedigital', 'iovalkey'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs until it resolves' };
export const keepsRedis = true;
export const settings = ({ smoke }) => GOAL_SHAPES.map((shape) => ({ label: SHAPES[shape].label, shape, keys: smoke ? 10 : 100 }));

export function begin(_cache, { shape, keys }) {
  const entries = entriesOf(shape, keys);
  const others = entriesOf(shape, keys, keys);
  return [entries, entries.map((entry, i) => ({ ...entry, value: others[i].value }))];
}

export async function round(cache, { keys }, versions, number) {
  const entries = versions[(number + 2) % 2];
  const cpu = process.cpuUsage();
  let wall = 0;
  for (let from = 0; from < keys; from += SETTLE_EVERY) {
    const count = Math.min(SETTLE_EVERY, keys - from);
    wall += count * (await each(count, (i) => cache.set(entries[from + i]))).wall;
    await cache.settled?.(); // what waits to be sent is bounded
  }
  const { user, system } = process.cpuUsage(cpu);
  return { wall: wall / keys, cpu: (user + system) / keys };
}

export const goals = (figures) =>
  ['@trieb.work (Redis)', '@fortedigital (Redis)'].map((other) =>
    atMost(figures, { number: 16, what: `CPU of a set over Redis, beside ${other}`, metric: 'cpu', subject: 'nextcache (Redis)', other, limit: 0.5 }));
