// One operation of one subject again and again, for a profiler to look at:
//
//   perf record -g -o /tmp/perf.data node --perf-basic-prof profile.mjs get page-40
//   node --cpu-prof --cpu-prof-dir=/tmp profile.mjs set fetch-2
//
//   profile.mjs get|first-get|set SHAPE [SECONDS] [SUBJECT]
//   profile.mjs shared-get SHAPE [GETS] [SUBJECT]    each once, of a Redis that another process has filled
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf, SHAPES } from './lib/entries.mjs';
import { peersFolder, scratchFolder } from './lib/places.mjs';
import { Redis } from './lib/redis.mjs';
import { SubjectProcess } from './lib/subject-process.mjs';

const [operation, shape, much, subject = operation === 'shared-get' ? 'nextcache-shared' : 'nextcache'] = process.argv.slice(2);
const KEYS = 100;

const OPERATIONS = {
  get: (cache, entry) => cache.get(entry),
  set: (cache, entry) => cache.set(entry),
  /** From disk: there is no memory tier then. */
  'first-get': (cache, entry) => cache.get(entry),
};

if (!(OPERATIONS[operation] || operation === 'shared-get') || !SHAPES[shape]) {
  console.error(`usage: profile.mjs ${[...Object.keys(OPERATIONS), 'shared-get'].join('|')} ${Object.keys(SHAPES).join('|')} [SECONDS or GETS] [SUBJECT]`);
  process.exit(2);
}
const folder = join(scratchFolder, `profile-${process.pid}`);
const { open } = await import(`./subjects/${subject}.mjs`);

async function again() {
  const cache = await open({ folder, memoryBytes: operation === 'first-get' ? 0 : 100 * 2 ** 20 });
  const entries = entriesOf(shape, KEYS);
  for (const entry of entries) await cache.set(entry);
  let done = 0;
  const begin = process.cpuUsage();
  for (const end = Date.now() + 1000 * Number(much ?? 3); Date.now() < end; ) {
    for (const entry of entries) await OPERATIONS[operation](cache, entry);
    done += KEYS;
  }
  const { user, system } = process.cpuUsage(begin);
  await cache.close();
  return { cpu: (user + system) / done, done };
}

async function overRedis() {
  const row = await import('./rows/shared-get.mjs');
  const setting = { ...row.settings({}).find((one) => one.shape === shape), keys: Number(much ?? 8000) };
  const options = { folder, memoryBytes: 50 * 2 ** 20, redisUrl: await Redis.fresh() };
  const another = await SubjectProcess.open(subject, 'shared-get', setting, options);
  await another.ask('fill');
  await another.close();
  process.chdir(peersFolder); // as the other one is: the names of pages depend on it
  const cache = await open(options);
  const { cpu } = await row.round(cache, setting, await row.begin(cache, setting));
  await cache.close();
  await Redis.stop();
  return { cpu, done: setting.keys };
}

const { cpu, done } = await (operation === 'shared-get' ? overRedis() : again());
console.log(`${operation} ${shape} of ${subject}: ${cpu.toFixed(2)} µs of CPU each, ${done} times`);
rmSync(folder, { recursive: true, force: true });
process.exit(0); // some clients of Redis do not let a process end
