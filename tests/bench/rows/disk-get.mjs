// Goal 3: reading what another process has stored.
import { entriesOf, entryOf, GOAL_SHAPES, SHAPES } from '../lib/entries.mjs';
import { atMost, labelOf } from '../lib/goals.mjs';
import { each, fill as fillAll } from '../lib/timing.mjs';

const BYTES = 48 * 2 ** 20;
const WARM_UP = 20;

export const title = 'get: from disk, in a fresh process';
export const about = `Another process has stored the entries and ended; their bytes are in the page cache. Every round is a new process, which
reads twenty other keys first, and then each key once.`;
export const subjects = ['nextcache', 'next', 'lmdb', 'better-sqlite3'];
export const metrics = { wall: 'µs', cpu: 'µs of CPU' };
export const fresh = true;

export const settings = ({ smoke }) =>
  GOAL_SHAPES.map((shape) => ({
    label: SHAPES[shape].label, shape, keys: smoke ? 10 : Math.min(1000, Math.floor(BYTES / SHAPES[shape].bytes / 1.5)),
  }));

export const fill = (cache, { shape, keys }) => fillAll(entriesOf(shape, keys + WARM_UP), (entry) => cache.set(entry));

export async function begin(cache, { shape, keys }) {
  for (let i = 0; i < WARM_UP; i += 1) {
    if (!cache.valueOf(await cache.get(entryOf(shape, keys + i)))) throw new Error('what another process stored is missing');
  }
  return entriesOf(shape, keys);
}

export const round = (cache, { keys }, entries) => each(keys, (i) => cache.get(entries[i]));

export const goals = (figures) => [
  atMost(figures, { number: 3, what: "time of a get, beside Next's", metric: 'wall', subject: 'nextcache', other: 'Next.js', limit: 0.05, limits: { [labelOf('page-400')]: 0.15 } }),
  atMost(figures, { number: 3, what: "time of a get, beside lmdb's", metric: 'wall', subject: 'nextcache', other: 'lmdb', limit: 1 }),
];
