// Goal 16: what a site of several machines asks of the cache that they share.
import { entryOf } from '../lib/entries.mjs';
import { atMost } from '../lib/goals.mjs';
import { shapeOf, zipf } from '../lib/popularity.mjs';
import { Redis } from '../lib/redis.mjs';
import { fill as fillAll } from '../lib/timing.mjs';

const SETS = 0.1;
const A_REQUEST = 10; // operations
const AT_A_TIME = 8;
const REVALIDATE_EVERY = 500;
const CATEGORIES = 100;
const SETTLE_EVERY = 200;
const WARM_UP = 3; // rounds in the one that is not counted, so that what they run is compiled

export const title = 'load: two machines over one Redis, Zipf 0.99, nine gets to one set';
export const about = `Two processes with directories of their own, empty at the beginning, at the same time; what they share is Redis, on which a third one has
stored all 10 000 keys: 60 % pages of 4 KB, 35 % fetches of 2 KB, 5 % pages of 40 KB. Each has eight operations under way at a time, a get that misses
is followed by a set, and after every 500 operations it revalidates the tag of a category, which is one entry in a hundred. A round is 8000 operations of each; before the first
they do 24 000, in which what they run is compiled.
CPU is that of all threads of both processes until Redis has what they stored; what Redis spends is left out. "Gets that Redis answered"
are its count of GET beside the gets. nextcache answers from its memory and disk what it was asked for before and nobody has revalidated; @trieb.work
for ten seconds from its memory; @fortedigital asks for every get, with two more commands for its tags, which are not counted.`;
export const subjects = ['nextcache-shared', 'trieb', 'fortedigital'];
export const metrics = { cpu: 'µs of CPU per operation', rate: 'operations a second', asked: '% gets that Redis answered', hits: '% hits' };
export const keepsRedis = true;
export const machines = 2;

export const settings = ({ smoke }) => {
  const keys = smoke ? 100 : 10_000;
  return [{ label: `${keys} keys`, keys, operations: smoke ? 100 : 8000 }];
};

export async function around(_setting, work) {
  await Redis.fresh();
  return work();
}

const categoryOf = (key) => `category-${key % CATEGORIES}`;
const entryFor = (key) => entryOf(shapeOf(key), key, ['catalogue', categoryOf(key)]);

export async function fill(cache, { keys }) {
  for (let key = 0; key < keys; key += 1) {
    await cache.set(entryFor(key));
    if (key % SETTLE_EVERY === 0) await cache.settled?.();
  }
  await cache.settled?.();
}

/** Made once, because they are Next's work and not a cache's. */
export const begin = (_cache, { keys }) => Array.from({ length: keys }, (_, key) => entryFor(key));

/** What a process does in a round: {entry, isSet, tag}, the tag to be revalidated afterwards. */
function workOf(entries, count, seed) {
  const draw = zipf(entries.length, 0.99, seed);
  const chance = zipf(1000, 0, seed + 1);
  return Array.from({ length: count }, (_, i) => ({
    entry: entries[draw()],
    isSet: chance() < 1000 * SETS,
    tag: (i + 1) % REVALIDATE_EVERY === 0 ? categoryOf(draw()) : undefined,
  }));
}

export async function round(cache, setting, entries, number) {
  const operations = setting.operations * (number < 0 ? WARM_UP : 1);
  const work = workOf(entries, operations, 2 * (number + 3)); // another one in each round and machine
  let gets = 0;
  let hits = 0;
  let done = 0;
  const operation = async ({ entry, isSet, tag }) => {
    if (done++ % A_REQUEST === 0) cache.request();
    if (isSet) {
      await cache.set(entry);
    } else {
      gets += 1;
      if (cache.valueOf(await cache.get(entry))) hits += 1;
      else await cache.set(entry);
    }
    if (tag) await cache.revalidation()(tag);
  };
  const cpu = process.cpuUsage();
  const start = performance.now();
  await fillAll(work, operation, AT_A_TIME);
  const seconds = (performance.now() - start) / 1000;
  await cache.settled?.();
  const { user, system } = process.cpuUsage(cpu);
  return { operations, seconds, cpu: user + system, gets, hits };
}

const sum = (answers, of) => answers.reduce((all, answer) => all + of(answer), 0);

export const joined = (answers, asked) => ({
  cpu: sum(answers, ({ cpu }) => cpu) / sum(answers, ({ operations }) => operations),
  rate: sum(answers, ({ operations, seconds }) => operations / seconds),
  asked: (100 * asked) / sum(answers, ({ gets }) => gets),
  hits: (100 * sum(answers, ({ hits }) => hits)) / sum(answers, ({ gets }) => gets),
});

export const goals = (figures) =>
  ['@trieb.work (Redis)', '@fortedigital (Redis)'].map((other) =>
    atMost(figures, { number: 16, what: `CPU of an operation of a site over Redis, beside ${other}`, metric: 'cpu', subject: 'nextcache (Redis)', other, limit: 0.5 }));
