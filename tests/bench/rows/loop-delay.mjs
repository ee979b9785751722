// Goal 8: how long the thread of JavaScript is kept from its other work.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { entryOf } from '../lib/entries.mjs';
import { scratchFolder } from '../lib/places.mjs';
import { shapeOf, zipf } from '../lib/popularity.mjs';
import { digits } from '../lib/statistics.mjs';
import { fill as fillAll, sleep } from '../lib/timing.mjs';

const KEYS = 5000;
const BIG_EVERY = 50;
const PAUSE_SLICE_MS = 0.2;
const LOOK_MS = 1; // the monitor counts it: a loop that nothing delays has this in every look

export const title = 'event loop: delay under load';
export const about = `A thousand operations a second arrive at even times, nine gets to one set, Zipf 0.99 over 5 000 keys, every fiftieth of 400 KB.
The delay is what Node's own monitor measures between two looks a millisecond apart, less that millisecond. "Longest call" is the longest time that one call of get or set kept the
thread before it returned its promise: once as it was, once without the time in which the thread could have run and another had the
processor, as the kernel counts it, and once without V8's collections of garbage either. "The machine" is the longest time that a loop was stopped for which only looks at the clock, for as
long as all of those calls took together, without waits for a processor: interrupts, and what a host takes from a virtual machine. "No cache" is the same loop without one: what is below it, no cache can reach. In the second setting another process writes to the same disk and flushes without end.`;
export const subjects = ['nextcache', 'next', 'nothing'];
export const metrics = { p99: 'ms, delay p99', longest: 'µs, longest call', running: 'µs, without waits for a processor', own: 'µs, nor collections', machine: 'µs, the machine', call99: 'µs, call p99' };

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

/** µs for which this thread could have run, and did not: the second number of its schedstat. */
class Waits {
  #file = openSync('/proc/thread-self/schedstat');
  #text = Buffer.alloc(100);

  now() {
    const length = readSync(this.#file, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.latin1Slice(0, length).split(' ')[1]) / 1000;
  }

  close() {
    closeSync(this.#file);
  }
}

/** Begins one operation; when, and for how many µs it kept the thread. */
function begun(cache, entry, isSet, pending, waits) {
  const waited = waits.now();
  const begin = performance.now();
  const answer = isSet ? cache.set(entry) : cache.get(entry);
  const end = performance.now();
  if (answer instanceof Promise) pending.add(answer.finally(() => pending.delete(answer)));
  const took = 1000 * (end - begin);
  return { begin, end, took, running: Math.max(0, took - (waits.now() - waited)) };
}

/** µs of collections while a call ran. */
const collecting = ({ begin, end }, collections) =>
  1000 * collections.reduce((sum, { startTime, duration }) => sum + Math.max(0, Math.min(end, startTime + duration) - Math.max(begin, startTime)), 0);

/** The longest time in ms between two looks at the clock, of so many ms, without waits for a processor. */
function longestPause(ms, waits) {
  let most = 0;
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const waited = waits.now();
    let pause = 0;
    let last = performance.now();
    for (const until = last + PAUSE_SLICE_MS; last < until; ) {
      const now = performance.now();
      pause = Math.max(pause, now - last);
      last = now;
    }
    most = Math.max(most, pause - (waits.now() - waited) / 1000);
  }
  return most;
}

const longest = (times) => times.reduce((most, time) => Math.max(most, time), 0);

export async function round(cache, { ms }, entries, number) {
  const draw = zipf(entries.length, 0.99, number + 2);
  const delays = monitorEventLoopDelay({ resolution: LOOK_MS });
  const collections = [];
  const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
  const waits = new Waits();
  const calls = [];
  const pending = new Set();
  observer.observe({ entryTypes: ['gc'] });
  delays.enable();
  const start = performance.now();
  for (let done = 0; done < ms; ) {
    await sleep(1);
    // Those that should have arrived by now, also when the loop was late.
    for (const due = Math.min(ms, performance.now() - start); done < due; done += 1) {
      calls.push(begun(cache, entries[draw()], done % 10 === 0, pending, waits));
    }
  }
  delays.disable();
  await Promise.allSettled(pending);
  await sleep(10); // what the observer has not been told of yet
  observer.disconnect();
  const times = calls.map(({ took }) => took).sort((a, b) => a - b);
  const pause = longestPause(times.reduce((sum, took) => sum + took, 0) / 1000, waits);
  waits.close();
  return {
    p99: delays.percentile(99) / 1e6 - LOOK_MS, longest: times.at(-1), call99: times[Math.floor(times.length * 0.99)],
    running: longest(calls.map(({ running }) => running)), machine: 1000 * pause,
    own: longest(calls.map((call) => Math.max(0, call.running - collecting(call, collections)))),
  };
}

export function goals(figures) {
  const delay = figures.ratio('quiet disk', 'p99', 'nextcache', 'Next.js');
  const floor = figures.ratio('quiet disk', 'p99', 'no cache', 'Next.js');
  const of = (metric) => figures.settings.map((setting) => figures.of(setting, 'nextcache', metric));
  const [running, own, machine] = [of('running'), of('own'), of('machine')];
  return [
    { number: 8, goal: "event-loop delay p99 ≤ 0.6 × Next's", figure: `${digits(delay?.median)}; without any cache: ${digits(floor?.median)}`, reached: delay && delay.median <= 0.6 },
    {
      number: 8, goal: 'no call blocks over 1 ms up to 400 KB, also beside a saturated disk (median of the longest of each round, without waits for a processor)',
      figure: figures.settings.map((setting, i) => `${setting}: ${digits(running[i]?.median)} µs, ${digits(own[i]?.median)} without collections, ${digits(machine[i]?.median)} the machine`).join('; '),
      reached: running.every((found) => found?.median <= 1000),
    },
  ];
}
