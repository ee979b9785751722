// Goal 2: a hit in memory of what has not been decoded before.
import { entriesOf, SHAPES } from '../lib/entries.mjs';
import { atMost, labelOf } from '../lib/goals.mjs';
import { each, fill as fillAll } from '../lib/timing.mjs';

const MB = 2 ** 20;
// Enough of it that garbage is collected in every round, as it is in a server.
const BYTES_A_ROUND = 64 * MB;
const BYTES_PER_BYTE = 1.5; // of HTML: a page has data, too
// New entries have a fifth of the memory tier; what is above would be read from disk.
export const memoryBytes = 512 * MB;

export const title = 'get: hit in memory, first decode';
export const about = `Every key is set, and then read once. The memory tier has 512 MB, so that all of a round of 64 MB is in it, and a round is long enough
to collect the garbage that it makes. V8 deserializes the same values, each from bytes of its own.`;
export const subjects = ['nextcache', 'v8'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs' };

export const settings = ({ smoke }) =>
  Object.entries(SHAPES).map(([shape, { bytes, wide, label }]) => ({
    label, shape, gets: smoke ? 5 : Math.min(1000, Math.floor(BYTES_A_ROUND / bytes / BYTES_PER_BYTE / (wide ? 2 : 1))),
  }));

const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);

export async function round(cache, { shape, gets }, _, number) {
  const entries = entriesOf(shape, gets, ((number + 1) % 2) * gets);
  await fillAll(entries, (entry) => cache.set(entry));
  const before = cache.stats && sum(cache.stats().memoryHits);
  const cost = await each(gets, (i) => cache.get(entries[i]));
  if (cache.stats && sum(cache.stats().memoryHits) - before !== gets) throw new Error('not all of it was in memory');
  return cost;
}

export const goals = (figures) => [
  atMost(figures, {
    number: 2, what: 'CPU of a first get, beside v8.deserialize', metric: 'cpu', subject: 'nextcache', other: 'v8.deserialize',
    limits: { [labelOf('page-40')]: 0.5, [labelOf('page-400')]: 0.15 },
  }),
];
