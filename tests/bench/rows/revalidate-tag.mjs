// Goal 9: revalidateTag, with many entries under the tag.
//
// Two processes share what a subject shares. One looks at an entry without end;
// the other revalidates its tag. Both read the same monotonic clock.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf } from '../lib/entries.mjs';
import { Figures, loadSubjects } from '../lib/compare.mjs';
import { machineRounds } from '../lib/machine-rounds.mjs';
import { scratchFolder } from '../lib/places.mjs';
import { Redis } from '../lib/redis.mjs';
import { digits } from '../lib/statistics.mjs';
import { SubjectProcess } from '../lib/subject-process.mjs';
import { each, fill as fillAll } from '../lib/timing.mjs';

const TAG = 'catalogue';
const LOOKS_A_TURN = 20;
const POOL = 'thread pool, one round trip';

export const title = 'revalidateTag: 1 000 and 100 000 entries under the tag';
export const about = `The entries are stored anew before every round. "Until obeyed" is from just before the call until another process, which looks
at one of the entries without end, misses it for the first time; "never" is longer than three seconds (@trieb.work answers from its memory for ten), and who
was not obeyed once is not waited for again. Of 100 000 entries the others make one round. "Until it resolves" is the time of the promise.`;
export const subjects = ['nextcache', 'next', 'fortedigital', 'trieb'];
export const metrics = { resolves: 'µs until it resolves', obeyed: 'µs until obeyed by another process' };

const settings = ({ smoke, rounds }) => [[1000, 10], [100_000, 5]].map(([most, roundsMost]) => {
  const entries = smoke ? Math.round(Math.sqrt(most)) : most;
  return { label: `${entries} entries`, entries, rounds: Math.min(rounds, roundsMost), patienceMs: smoke ? 500 : 3000, isLarge: most > 1000 };
});

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

export async function mark(cache) {
  const begun = process.hrtime.bigint();
  await cache.revalidateTag(TAG);
  return { begun, resolved: process.hrtime.bigint() };
}

export const roundTrip = async (cache) => (await each(50, () => cache.get())).wall;

// ---- in the runner ------------------------------------------------------------------

const us = (from, to) => Number(to - from) / 1000;

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
  }

  async round(number) {
    await this.marker.ask('call', { name: 'refill' });
    const shared = await this.watcher.ask('call', { name: 'settle', argument: number });
    if (!shared) throw new Error('another process does not see what was stored');
    const watching = this.neverObeyed ? undefined : this.watcher.ask('call', { name: 'watch', argument: number });
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    const { begun, resolved } = await this.marker.ask('call', { name: 'mark' });
    const obeyed = await watching;
    this.neverObeyed = obeyed === undefined;
    return { resolves: us(begun, resolved), obeyed: this.neverObeyed ? Infinity : us(begun, obeyed) };
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
      if (number >= 0) figures.add(setting.label, POOL, number, { resolves: await pool.ask('call', { name: 'roundTrip' }) });
    }
  } finally {
    for (const pair of pairs) await pair.close();
  }
}

function goalsOf(figures, flushUs, obeyedUs) {
  const of = (setting, metric) => figures.of(setting, 'nextcache', metric)?.median;
  const obeyed = figures.settings.map((setting) => of(setting, 'obeyed'));
  const resolves = figures.settings.map((setting) => of(setting, 'resolves'));
  const floors = figures.settings.map((setting) => flushUs + figures.of(setting, POOL, 'resolves').median);
  const growth = resolves[1] / resolves[0];
  const listed = (values, unit) => figures.settings.map((setting, i) => `${setting}: ${digits(values[i])}${unit}`).join('; ');
  return [
    { number: 9, goal: '≤ 10 µs until every process obeys, by the C interface', figure: `${digits(obeyedUs)} µs`, reached: obeyedUs <= 10 },
    { number: 9, goal: '≤ 10 µs until every process obeys, from JavaScript to JavaScript', figure: listed(obeyed, ' µs'), reached: obeyed.every((time) => time <= 10) },
    { number: 9, goal: 'resolves ≤ 2 × (one msync + one pool round trip)', figure: `${listed(resolves, ' µs')}; the floor: ${floors.map(digits).join(' and ')} µs`, reached: resolves.every((time, i) => time <= 2 * floors[i]) },
    { number: 9, goal: '100 k entries ≤ 1.5 × 1 k entries', figure: digits(growth), reached: growth <= 1.5 },
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
