// Goal 2: a hit in memory of what has not been decoded before.
import { entriesOf, SHAPES } from '../lib/entries.mjs';
import { atMost, labelOf } from '../lib/goals.mjs';
import { each, fill as fillAll } from '../lib/timing.mjs';

const BYTES_A_ROUND = 16 * 2 ** 20;

export const title = 'get: hit in memory, first decode';
export const about = 'Every key is set, and then read once. V8 deserializes the same values, each from bytes of its own.';
export const subjects = ['nextcache', 'v8'];
export const metrics = { cpu: 'µs of CPU', wall: 'µs' };

export const settings = ({ smoke }) =>
  Object.entries(SHAPES).map(([shape, { bytes, label }]) => ({
    label, shape, gets: smoke ? 5 : Math.max(30, Math.min(1000, Math.floor(BYTES_A_ROUND / bytes / 1.5))),
  }));

export async function round(cache, { shape, gets }, _, number) {
  const entries = entriesOf(shape, gets, (number + 1) * gets);
  await fillAll(entries, (entry) => cache.set(entry));
  return each(gets, (i) => cache.get(entries[i]));
}

export const goals = (figures) => [
  atMost(figures, {
    number: 2, what: 'CPU of a first get, beside v8.deserialize', metric: 'cpu', subject: 'nextcache', other: 'v8.deserialize',
    limits: { [labelOf('page-40')]: 0.5, [labelOf('page-400')]: 0.15 },
  }),
];
