// Goal 9: revalidateTag, with many entries under the tag.
//
// Two processes share what a subject shares. One looks at an entry without end;
// the other revalidates its tag. Both read the same monotonic clock.
import { fdatasync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf } from '../lib/entries.mjs';
import { Figures, loadSubjects } from '../lib/compare.mjs';
import { machineRounds } from '../lib/machine-rounds.mjs';
import { memoryFolder, scratchFolder } from '../lib/places.mjs';
import { Redis } from '../lib/redis.mjs';
import { digits, pairedRatio, summary } from '../lib/statistics.mjs';
import { SubjectProcess } from '../lib/subject-process.mjs';
import { each, fill as fillAll, sleep } from '../lib/timing.mjs';

const TAG = 'catalogue';
const LOOKS_A_TURN = 20;
const POOL = 'thread pool, one round trip';
const PAGE = Buffer.alloc(4096, 1);
const WARM_UP = 20;
const IN_A_ROW = 30;
const PAUSE_MS = 5; // until the other process has surely seen what was stored

export const title = 'revalidateTag: 1 000 and 100 000 entries under the tag';
export const about = `The entries are stored anew before every round. "Until obeyed" is from just before the call until another process, which looks
at one of the entries without end, misses it for the first time; "never" is longer than three seconds (@trieb.work answers from its memory for ten), and who
was not obeyed once is not waited for again. Of 100 000 entries the others make one round. "Until it resolves" is the time of the promise. "Until it
returns" is that of the call alone, which is all that its thread does of it. "In a row" are both again, as the median of thirty that follow each other: before
each an entry is stored, and seen by the other process. The flushed page is one of a file of the same process and file system, written and flushed (\`fdatasync\` on
the thread pool) just before the call in every other round, and just after the promise in the others: one flush and one round trip to the pool in the very
moment, while the kernel still writes what was stored.`;
export const subjects = ['nextcache', 'next', 'fortedigital', 'trieb'];
export const metrics = {
  resolves: 'µs until it resolves', flush: 'µs, one page flushed', obeyed: 'µs until obeyed by another process', returns: 'µs until it returns',
  obeyedAgain: 'µs until obeyed, in a row', returnsAgain: 'µs until it returns, in a row',
};

const settings = ({ smoke, rounds }) => [[1000, 10], [100_000, 11]].map(([most, roundsMost]) => {
  const entries = smoke ? Math.round(Math.sqrt(most)) : most;
  return { label: `${entries} entries`, entries, rounds: Math.min(rounds, roundsMost), patienceMs: smoke ? 500 : 3000, isLarge: most > 1000 };
});

const us = (from, to) => Number(to - from) / 1000;

// ---- in the processes of a subject ------------------------------------------------

/** Another one in every round: some remember for a while that one was missing. */
const probe = ({ entries }, number) => entriesOf('fetch-2', 1, entries - 2 - number, [TAG])[0];

export async function refill(cache, { entries }) {
  cache.request();
  await fillAll(entriesOf('fetch-2', entries, 0, [TAG]), (entry) => cache.set(entry), 32);
}

/** Until the entry is there to be looked at, and in memory. */
export async function settle(cache, setting, _, number) {
  const entry = probe(setting, number);
  const deadline = Date.now() + setting.patienceMs;
  while (!cache.valueOf(await cache.get(entry)) && Date.now() < deadline) await new Promise(setImmediate);
  return Boolean(cache.valueOf(await cache.get(entry)));
}

/** When the entry was missed for the first time, in ns; undefined when it never was. */
export async function watch(cache, setting, _, number) {
  const entry = probe(setting, number);
  const deadline = Date.now() + setting.patienceMs;
  while (Date.now() < deadline) {
    for (let i = 0; i < LOOKS_A_TURN; i += 1) {
      if (!cache.valueOf(await cache.get(entry))) return process.hrtime.bigint();
    }
    await new Promise(setImmediate); // where others are told by a message, it is heard here
  }
  return undefined;
}

async function mark(cache) {
  const revalidate = cache.revalidation();
  const begun = process.hrtime.bigint();
  const marking = revalidate(TAG);
  const returned = process.hrtime.bigint();
  await marking;
  return { begun, returned, resolved: process.hrtime.bigint() };
}

const flushed = (file) => new Promise((resolve, reject) => { fdatasync(file, (error) => (error ? reject(error) : resolve())); });

let pages; // of two files: one on the disk, and one in memory

export async function openPages(_, __, ___, paths) {
  pages = paths.map((path) => openSync(path, 'w'));
  for (const file of pages) writeSync(file, PAGE, 0, PAGE.length, 0);
  await flushed(pages[0]);
}

/** µs until a page is on the disk, without JavaScript that runs for the first time. */
async function flushPage() {
  const [onDisk, inMemory] = pages;
  for (let i = 0; i < WARM_UP; i += 1) await flushed(inMemory);
  const begun = process.hrtime.bigint();
  writeSync(onDisk, PAGE, 0, PAGE.length, 0);
  await flushed(onDisk);
  return us(begun, process.hrtime.bigint());
}

/** One revalidation, and one flush: neither is always the first. */
export async function markBesideFlush(cache, _, __, number) {
  if (number % 2 === 0) {
    const flush = await flushPage();
    return { ...(await mark(cache)), flush };
  }
  const marked = await mark(cache);
  return { ...marked, flush: await flushPage() };
}

/** The same again and again, of an entry that is stored before each. */
export async function markAgain(cache, setting, _, number) {
  const calls = [];
  for (let i = 0; i < IN_A_ROW; i += 1) {
    cache.request();
    await cache.set(probe(setting, number));
    await sleep(PAUSE_MS);
    calls.push(await mark(cache));
  }
  return calls;
}

/** When the entry was missed after it had been there, each time, in ns. */
export async function watchAgain(cache, setting, context, number) {
  const missed = [];
  while (missed.length < IN_A_ROW && (await settle(cache, setting, context, number))) {
    missed.push(await watch(cache, setting, context, number));
  }
  return missed;
}

export const roundTrip = async (cache) => (await each(50, () => cache.get())).wall;

// ---- in the runner ------------------------------------------------------------------

class Pair {
  constructor(subject, setting) {
    Object.assign(this, { subject, setting, folder: join(scratchFolder, `revalidate-tag-${subject.name}`) });
  }

  async open() {
    rmSync(this.folder, { recursive: true, force: true });
    const redisUrl = this.subject.needsRedis ? await Redis.fresh() : undefined;
    const options = { folder: this.folder, memoryBytes: 50 * 2 ** 20, redisUrl };
    const start = () => SubjectProcess.open(this.subject.name, 'revalidate-tag', this.setting, options);
    [this.marker, this.watcher] = [await start(), await start()];
    for (const folder of [scratchFolder, memoryFolder]) mkdirSync(folder, { recursive: true });
    await this.marker.ask('call', { name: 'openPages', argument: [scratchFolder, memoryFolder].map((folder) => join(folder, `page-${this.subject.name}`)) });
  }

  async round(number) {
    await this.marker.ask('call', { name: 'refill' });
    const shared = await this.watcher.ask('call', { name: 'settle', argument: number });
    if (!shared) throw new Error('another process does not see what was stored');
    const watching = this.neverObeyed ? undefined : this.watcher.ask('call', { name: 'watch', argument: number });
    await sleep(20);
    const { begun, returned, resolved, flush } = await this.marker.ask('call', { name: 'markBesideFlush', argument: number });
    const obeyed = await watching;
    this.neverObeyed = obeyed === undefined;
    const values = { resolves: us(begun, resolved), flush, obeyed: this.neverObeyed ? Infinity : us(begun, obeyed), returns: us(begun, returned) };
    return this.subject.name === 'nextcache' ? { ...values, ...(await this.#again(number)) } : values;
  }

  async #again(number) {
    const watching = this.watcher.ask('call', { name: 'watchAgain', argument: number });
    const calls = await this.marker.ask('call', { name: 'markAgain', argument: number });
    const missed = await watching;
    const obeyed = calls.map(({ begun }) => [begun, missed.find((time) => time > begun)]).filter(([, time]) => time);
    return { obeyedAgain: summary(obeyed.map(([begun, time]) => us(begun, time)))?.median, returnsAgain: summary(calls.map(({ begun, returned }) => us(begun, returned))).median };
  }

  async close() {
    await this.marker?.close();
    await this.watcher?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function compareSetting(setting, loaded, figures, pool) {
  figures.settings.push(setting.label);
  const pairs = loaded.map((subject) => new Pair(subject, setting));
  const failed = new Set();
  const attempt = async (pair, work) => {
    try {
      if (!failed.has(pair)) await work();
    } catch (error) {
      failed.add(pair);
      figures.breakOff(pair.subject.label, error);
    }
  };
  try {
    for (const pair of pairs) await attempt(pair, () => pair.open());
    for (let number = setting.isLarge ? 0 : -1; number < setting.rounds; number += 1) {
      // Others need minutes to store so much: one round shows what it costs them.
      const taking = setting.isLarge && number > 0 ? pairs.filter(({ subject }) => subject.name === 'nextcache') : pairs;
      for (const pair of taking) {
        await attempt(pair, async () => {
          const values = await pair.round(number);
          if (number >= 0) figures.add(setting.label, pair.subject.label, number, values);
        });
      }
      if (number < 0) continue;
      figures.add(setting.label, POOL, number, { resolves: await pool.ask('call', { name: 'roundTrip' }) });
    }
  } finally {
    for (const pair of pairs) await pair.close();
  }
}

function goalsOf(figures, flushUs, obeyedUs) {
  const of = (setting, metric) => figures.of(setting, 'nextcache', metric)?.median;
  const obeyed = figures.settings.map((setting) => of(setting, 'obeyed'));
  const resolves = figures.settings.map((setting) => of(setting, 'resolves'));
  const flushes = figures.settings.map((setting) => of(setting, 'flush'));
  const ratios = figures.settings.map((setting) => pairedRatio(figures.values(setting, 'nextcache', 'resolves'), figures.values(setting, 'nextcache', 'flush'))?.median);
  const quiet = figures.settings.map((setting) => flushUs + figures.of(setting, POOL, 'resolves').median);
  const growth = resolves[1] / resolves[0];
  const listed = (values, unit) => figures.settings.map((setting, i) => `${setting}: ${digits(values[i])}${unit}`).join('; ');
  return [
    { number: 9, goal: '≤ 10 µs until every process obeys, by the C interface', figure: `${digits(obeyedUs)} µs`, reached: obeyedUs <= 10 },
    { number: 9, goal: '≤ 10 µs until every process obeys, from JavaScript to JavaScript', figure: listed(obeyed, ' µs'), reached: obeyed.every((time) => time <= 10) },
    {
      number: 9, goal: 'resolves ≤ 2 × (one flush of a page + one pool round trip), in the same moment',
      figure: `${listed(ratios, ' ×')}; ${resolves.map(digits).join(' and ')} µs beside ${flushes.map(digits).join(' and ')} µs; one msync + one round trip in a quiet moment: ${quiet.map(digits).join(' and ')} µs`,
      reached: ratios.every((ratio) => ratio <= 2),
    },
    { number: 9, goal: '100 k entries ≤ 1.5 × 1 k entries', figure: `${digits(growth)}; the flushed page alone: ${digits(flushes[1] / flushes[0])}`, reached: growth <= 1.5 },
  ];
}

export async function run(sizes) {
  const figures = new Figures();
  const loaded = await loadSubjects(subjects, figures);
  const machine = await machineRounds(sizes);
  const [flush, obeyed] = ['flush', 'obeyed'].map((name) => machine.of('1', name, 'value'));
  const pool = await SubjectProcess.open('thread-pool', 'revalidate-tag', {}, {});
  try {
    for (const setting of settings(sizes)) await compareSetting(setting, loaded, figures, pool);
  } finally {
    await pool.close();
  }
  const lines = [['one msync of one page', digits(flush.median)], ['`nxc_mark` until another process, which calls `nxc_get` without end, misses', digits(obeyed.median)]];
  const tables = [{ title: 'without JavaScript, by c_api_bench', head: ['', 'µs'], lines }];
  return { figures, tables, goals: goalsOf(figures, flush.median, obeyed.median) };
}
