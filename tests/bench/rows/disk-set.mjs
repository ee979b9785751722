// Goal 4: storing, until the set resolves.
import { entriesOf, GOAL_SHAPES, SHAPES } from '../lib/entries.mjs';
import { atMost, labelOf } from '../lib/goals.mjs';
import { each, fill as fillAll } from '../lib/timing.mjs';
import { digits } from '../lib/statistics.mjs';

const BYTES = 32 * 2 ** 20;
const POOL = 'thread pool, one round trip';

export const title = 'set: in memory and on disk';
export const about = `One set after the other, each awaited, of keys that exist with new content. CPU is that of all threads of the process. Over
Redis it leaves out what Redis itself spends. Nobody flushes to the device.`;
export const subjects = ['nextcache', 'next', 'lmdb', 'better-sqlite3', 'fortedigital', 'trieb', 'thread-pool'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs until it resolves' };

export const settings = ({ smoke }) =>
  GOAL_SHAPES.map((shape) => {
    const keys = smoke ? 10 : Math.max(40, Math.min(500, Math.floor(BYTES / SHAPES[shape].bytes / 1.5)));
    return { label: SHAPES[shape].label, shape, keys, sets: smoke ? 10 : Math.min(keys, 200) };
  });

/** The round trip is the same for all. */
export const takesPart = (name, { shape }) => name !== 'thread-pool' || shape === 'fetch-2';

export async function begin(cache, { shape, keys }) {
  const entries = entriesOf(shape, keys);
  const others = entriesOf(shape, keys, keys);
  await fillAll(entries, (entry) => cache.set(entry));
  // Each key with the content of another, and back again in the next round.
  return [entries.map((entry, i) => ({ ...entry, value: others[i].value })), entries];
}

export const round = (cache, { keys, sets }, versions, number) =>
  each(sets, (i) => cache.set(versions[(number + 1) % 2][(number * sets + sets + i) % keys]));

function smallFetch(figures) {
  const label = labelOf('fetch-2');
  const ours = figures.of(label, 'nextcache', 'wall');
  const pool = figures.of(label, POOL, 'wall');
  const both = ours && pool;
  return {
    number: 4, goal: `time of a set of ${label} ≤ one pool round trip + 20 µs`,
    figure: both ? `${digits(ours.median)} µs; ${digits(pool.median)} + 20 µs` : 'not measured',
    reached: both ? ours.median <= pool.median + 20 : undefined,
  };
}

export const goals = (figures) => {
  const big = labelOf('page-400');
  const shared = { number: 4, subject: 'nextcache' };
  return [
    atMost(figures, { ...shared, what: "CPU of a set, beside Next's", metric: 'cpu', other: 'Next.js', limit: 0.1, limits: { [big]: 0.25 } }),
    atMost(figures, { ...shared, what: "CPU of a set, beside lmdb's, up to 40 KB", metric: 'cpu', other: 'lmdb', limit: 0.5, limits: { [big]: null, [labelOf('fetch-50')]: null } }),
    atMost(figures, { ...shared, what: "time of a set, beside Next's, from 4 KB up", metric: 'wall', other: 'Next.js', limit: 0.1, limits: { [labelOf('fetch-2')]: null } }),
    smallFetch(figures),
  ];
};
