// Goal 7: what a full memory tier costs the heap of JavaScript.
import { entryOf } from '../lib/entries.mjs';
import { digits } from '../lib/statistics.mjs';
import { collectGarbage, sleep } from '../lib/timing.mjs';

const MB = 2 ** 20;

export const title = 'memory: JavaScript heap and external, for a budget of 50 MB';
export const about = `A new process stores pages of 4 and 40 KB, twice as much as its budget holds, and reads none. What its heap and its external
memory have grown by after a garbage collection; RSS is what the whole process has grown by.`;
export const subjects = ['nextcache', 'next', 'lru-cache'];
export const metrics = { heap: 'MB of heap and external', rss: 'MB of RSS' };
export const fresh = true;
export const checks = false;

export const settings = ({ smoke }) => [{ label: '50 MB', pages: smoke ? 100 : 3000 }];

function used() {
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: (heapUsed + external) / MB, rss: rss / MB };
}

export async function round(cache, { pages }) {
  await cache.set(entryOf('page-4', 1_000_000)); // what is loaded once
  const before = used();
  for (let i = 0; i < pages; i += 1) await cache.set(entryOf(i % 2 ? 'page-4' : 'page-40', i));
  await sleep(50);
  const after = used();
  return { heap: after.heap - before.heap, rss: after.rss - before.rss };
}

export function goals(figures) {
  const [ours, theirs] = ['nextcache', 'Next.js'].map((subject) => figures.of('50 MB', subject, 'heap'));
  return [{
    number: 7, goal: 'heap + external for a budget of 50 MB ≤ 5 MB',
    figure: `${digits(ours?.median)} MB (Next.js: ${digits(theirs?.median)})`, reached: ours?.median <= 5,
  }];
}
