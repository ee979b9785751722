// Goal 5: what a site asks of its cache, in the proportions in which it does.
import { entryOf } from '../lib/entries.mjs';
import { atMost } from '../lib/goals.mjs';
import { shapeOf, zipf } from '../lib/popularity.mjs';
import { each, fill as fillAll } from '../lib/timing.mjs';

const SETS = 0.1;

export const title = 'load: Zipf 0.99, nine gets to one set, 50 MB of memory';
export const about = `All keys are stored: 60 % pages of 4 KB, 35 % fetches of 2 KB, 5 % pages of 40 KB. A get that misses is followed by a set.
lmdb and SQLite have the page cache in the place of a memory tier, and no bound.`;
export const subjects = ['nextcache', 'next', 'lmdb', 'better-sqlite3'];
export const metrics = { cpu: 'µs of CPU per operation', wall: 'µs per operation', hits: '% hits' };

export const settings = ({ smoke }) =>
  [10_000, 100_000].map((most) => {
    const keys = smoke ? most / 200 : most;
    return { label: `${keys} keys`, keys, operations: smoke ? 50 : 5000 };
  });

const entryFor = (key) => entryOf(shapeOf(key), key);

function* allEntries(keys) {
  for (let key = 0; key < keys; key += 1) yield entryFor(key);
}

export const begin = (cache, { keys }) => fillAll(allEntries(keys), (entry) => cache.set(entry));

export async function round(cache, { keys, operations }, _, number) {
  const draw = zipf(keys, 0.99, number + 2);
  const chance = zipf(1000, 0, number + 99);
  // Made before it is measured: entries are Next's work, not a cache's.
  const work = Array.from({ length: operations }, () => ({ entry: entryFor(draw()), isSet: chance() < 1000 * SETS }));
  let gets = 0;
  let hits = 0;
  const cost = await each(operations, async (i) => {
    const { entry, isSet } = work[i];
    if (isSet) return cache.set(entry);
    gets += 1;
    if (cache.valueOf(await cache.get(entry))) hits += 1;
    else await cache.set(entry);
    return undefined;
  });
  return { ...cost, hits: (100 * hits) / gets };
}

export const goals = (figures) => [
  atMost(figures, { number: 5, what: "CPU of an operation, beside Next's", metric: 'cpu', subject: 'nextcache', other: 'Next.js', limit: 0.15 }),
  atMost(figures, { number: 5, what: "CPU of an operation, beside lmdb's", metric: 'cpu', subject: 'nextcache', other: 'lmdb', limit: 1 }),
];
