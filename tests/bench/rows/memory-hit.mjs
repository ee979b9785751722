// Goal 1: a hit in memory of what this process has decoded before.
import { entriesOf, GOAL_SHAPES, SHAPES } from '../lib/entries.mjs';
import { atMost } from '../lib/goals.mjs';
import { each, fill as fillAll } from '../lib/timing.mjs';

const KEYS = 20;
// A thousand of each key: once a second a hit takes the long way, and rounds of one millisecond would show little else.
const GETS = 1000 * KEYS;
const MOST_MS = 100; // of a round: over Redis, a get takes milliseconds

export const title = 'get: hit in memory, decoded before';
export const about = `Twenty keys in turn, a thousand times each, all of which have been read before and are still held. What the two handlers for
'use cache' give is read as Next.js 16 does it: forked, and one branch to its end. @trieb.work answers from its own memory, for ten
seconds after a read; @fortedigital asks Redis every time.`;
export const subjects = ['nextcache', 'next', 'lru-cache', 'nextcache-use-cache', 'next-use-cache', 'trieb', 'fortedigital'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs' };

export const settings = ({ smoke }) =>
  GOAL_SHAPES.map((shape) => ({ label: SHAPES[shape].label, shape, gets: smoke ? 100 : GETS }));

/** A cached function returns bytes, not pages. */
export const takesPart = (name, { shape }) => !name.endsWith('use-cache') || SHAPES[shape].kind === 'FETCH';

export async function begin(cache, { shape }) {
  const entries = entriesOf(shape, KEYS);
  await fillAll(entries, (entry) => cache.set(entry));
  const held = [];
  for (const entry of entries) held.push(await cache.get(entry));
  return { entries, held };
}

export const round = (cache, { gets }, { entries }) => each(gets, (i) => cache.get(entries[i % KEYS]), MOST_MS);

export const goals = (figures) => [
  atMost(figures, { number: 1, what: "CPU of a get, beside Next's", metric: 'cpu', subject: 'nextcache', other: 'Next.js', limit: 0.5 }),
  atMost(figures, {
    number: 1, what: "CPU of a get of 'use cache', beside Next's", metric: 'cpu', subject: "nextcache 'use cache'", other: "Next.js 'use cache'",
    limits: { [SHAPES['fetch-2'].label]: 1, [SHAPES['fetch-50'].label]: 1 },
  }),
];
