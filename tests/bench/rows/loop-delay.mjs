// Goal 8: how long the thread of JavaScript is kept from its other work.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { entryOf } from '../lib/entries.mjs';
import { scratchFolder } from '../lib/places.mjs';
import { shapeOf, zipf } from '../lib/popularity.mjs';
import { digits } from '../lib/statistics.mjs';
import { fill as fillAll, sleep } from '../lib/timing.mjs';

const KEYS = 5000;
const BIG_EVERY = 50;

export const title = 'event loop: delay under load';
export const about = `A thousand operations a second arrive at even times, nine gets to one set, Zipf 0.99 over 5 000 keys, every fiftieth of 400 KB.
The delay is what Node's own monitor measures, at a resolution of one millisecond. "Longest call" is the longest time that one call of get or set kept the
thread before it returned its promise. "No cache" is the same loop without one: what is below it, no cache can reach. In the second setting another process writes to the same disk and flushes without end.`;
export const subjects = ['nextcache', 'next', 'nothing'];
export const metrics = { p99: 'ms, delay p99', longest: 'µs, longest call', call99: 'µs, call p99' };

export const settings = ({ smoke }) =>
  [false, true].map((hog) => ({ label: hog ? 'disk saturated' : 'quiet disk', hog, keys: smoke ? 20 : KEYS, ms: smoke ? 50 : 3000 }));

export async function around({ hog }, work) {
  if (!hog) return work();
  mkdirSync(scratchFolder, { recursive: true });
  const child = fork(new URL('../lib/disk-hog.mjs', import.meta.url), [join(scratchFolder, 'hog')], { stdio: 'ignore' });
  try {
    return await work();
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

const entryFor = (key) => entryOf(key % BIG_EVERY === BIG_EVERY - 1 ? 'page-400' : shapeOf(key), key);

export async function begin(cache, { keys }) {
  const entries = Array.from({ length: keys }, (_, key) => entryFor(key));
  await fillAll(entries, (entry) => cache.set(entry));
  return entries;
}

/** Begins one operation; what it kept the thread for, in µs. */
function begun(cache, entry, isSet, pending) {
  const begin = process.hrtime.bigint();
  const answer = isSet ? cache.set(entry) : cache.get(entry);
  const took = Number(process.hrtime.bigint() - begin) / 1000;
  if (answer instanceof Promise) pending.add(answer.finally(() => pending.delete(answer)));
  return took;
}

export async function round(cache, { ms }, entries, number) {
  const draw = zipf(entries.length, 0.99, number + 2);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const calls = [];
  const pending = new Set();
  delays.enable();
  const start = performance.now();
  for (let done = 0; done < ms; ) {
    await sleep(1);
    // Those that should have arrived by now, also when the loop was late.
    for (const due = Math.min(ms, performance.now() - start); done < due; done += 1) {
      calls.push(begun(cache, entries[draw()], done % 10 === 0, pending));
    }
  }
  delays.disable();
  await Promise.allSettled(pending);
  calls.sort((a, b) => a - b);
  return { p99: delays.percentile(99) / 1e6, longest: calls.at(-1), call99: calls[Math.floor(calls.length * 0.99)] };
}

export function goals(figures) {
  const delay = figures.ratio('quiet disk', 'p99', 'nextcache', 'Next.js');
  const floor = figures.ratio('quiet disk', 'p99', 'no cache', 'Next.js');
  const longest = figures.settings.map((setting) => figures.of(setting, 'nextcache', 'longest'));
  return [
    { number: 8, goal: "event-loop delay p99 ≤ 0.6 × Next's", figure: `${digits(delay?.median)}; without any cache: ${digits(floor?.median)}`, reached: delay && delay.median <= 0.6 },
    {
      number: 8, goal: 'no call blocks over 1 ms up to 400 KB, also beside a saturated disk (median of the longest of each round)',
      figure: figures.settings.map((setting, i) => `${setting}: ${digits(longest[i]?.median)} µs`).join('; '),
      reached: longest.every((found) => found?.median <= 1000),
    },
  ];
}
