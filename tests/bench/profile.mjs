// One operation of one subject again and again, for a profiler to look at:
//
//   perf record -g -o /tmp/perf.data node --perf-basic-prof profile.mjs get page-40
//   node --cpu-prof --cpu-prof-dir=/tmp profile.mjs set fetch-2
//
//   profile.mjs get|first-get|set SHAPE [SECONDS] [SUBJECT]
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf, SHAPES } from './lib/entries.mjs';
import { scratchFolder } from './lib/places.mjs';

const [operation, shape, seconds = '3', subject = 'nextcache'] = process.argv.slice(2);
const KEYS = 100;

const OPERATIONS = {
  get: (cache, entry) => cache.get(entry),
  set: (cache, entry) => cache.set(entry),
  /** From disk: there is no memory tier then. */
  'first-get': (cache, entry) => cache.get(entry),
};

if (!OPERATIONS[operation] || !SHAPES[shape]) {
  console.error(`usage: profile.mjs ${Object.keys(OPERATIONS).join('|')} ${Object.keys(SHAPES).join('|')} [SECONDS] [SUBJECT]`);
  process.exit(2);
}
const folder = join(scratchFolder, `profile-${process.pid}`);
const { open } = await import(`./subjects/${subject}.mjs`);
const cache = await open({ folder, memoryBytes: operation === 'first-get' ? 0 : 100 * 2 ** 20 });
const entries = entriesOf(shape, KEYS);
for (const entry of entries) await cache.set(entry);
let done = 0;
const begin = process.cpuUsage();
for (const end = Date.now() + 1000 * Number(seconds); Date.now() < end; ) {
  for (const entry of entries) await OPERATIONS[operation](cache, entry);
  done += KEYS;
}
const { user, system } = process.cpuUsage(begin);
console.log(`${operation} ${shape} of ${subject}: ${((user + system) / done).toFixed(2)} µs of CPU each, ${done} times`);
await cache.close();
rmSync(folder, { recursive: true, force: true });
