// A row that compares subjects: A B C, then B C A, ... - a round of each in
// turn, each in a process of its own, so that a machine that slows down slows
// all of them.
//
// A row exports
//   title, about     what is measured, in words
//   subjects         names of files in subjects/
//   metrics          {name: unit}; the first is the one that is plotted
//   settings(sizes)  [{label, ...}]
//   goals(figures)   [{number, goal, figure, reached}]
// and, run in the process of a subject,
//   fill, begin, round(cache, setting, context, number) -> {metric: value}
// Optional: `fresh`, a new process for every round; `keepsRedis`, which is not emptied; `memoryBytes`; `takesPart`;
// `around(setting, work)`, what goes on beside the rounds; `machines`, how many processes of a subject
// make a round at the same time after another has filled, and `joined(answers, gets)`, what their answers
// and the GETs that Redis has answered meanwhile make together.
//
// Rounds are made until the row's `seconds` are over (shared among its settings),
// at most as many as are asked for, at least ROUNDS_MIN.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pairedRatio, summary } from './statistics.mjs';
import { scratchFolder } from './places.mjs';
import { Redis } from './redis.mjs';
import { SubjectProcess } from './subject-process.mjs';

const MEMORY_BYTES = 50 * 2 ** 20;
const ROUNDS_MIN = 5;
const ROW_SECONDS = 40;

/** Values by setting, subject and metric, in the order of the rounds. */
export class Figures {
  rounds = [];
  settings = [];
  problems = new Map();
  broken = [];

  add(setting, subject, number, values) {
    this.rounds.push({ setting, subject, number, values });
  }

  values(setting, subject, metric) {
    return this.rounds.filter((round) => round.setting === setting && round.subject === subject).map(({ values }) => values[metric] ?? NaN);
  }

  of(setting, subject, metric) {
    return summary(this.values(setting, subject, metric));
  }

  ratio(setting, metric, subject, other) {
    return pairedRatio(this.values(setting, subject, metric), this.values(setting, other, metric));
  }

  /** A subject that is not measured any further. */
  breakOff(subject, error) {
    this.broken.push(subject);
    this.note(subject, `broke off: ${error.message.split('\n').slice(0, 2).join(' ')}`);
  }

  note(subject, problem) {
    const noted = this.problems.get(subject) ?? [];
    if (!noted.includes(problem)) this.problems.set(subject, [...noted, problem]);
  }
}

/** The subjects that can take part here, with what they are called. */
export async function loadSubjects(names, figures) {
  const loaded = [];
  for (const name of names) {
    const { label, needsRedis, absent } = await import(`../subjects/${name}.mjs`);
    const reason = absent?.();
    if (reason) figures.note(label, `left out: ${reason}`);
    else loaded.push({ name, label, needsRedis });
  }
  return loaded;
}

class Contestant {
  constructor(row, setting, subject, figures) {
    Object.assign(this, { row, setting, subject, figures });
    this.folder = join(scratchFolder, `${row.name}-${subject.name}`);
  }

  async #open() {
    const options = { folder: this.folder, memoryBytes: this.row.memoryBytes ?? MEMORY_BYTES, redisUrl: this.redisUrl };
    return SubjectProcess.open(this.subject.name, this.row.name, this.setting, options);
  }

  async prepare() {
    rmSync(this.folder, { recursive: true, force: true });
    if (this.subject.needsRedis) this.redisUrl = this.row.keepsRedis ? await Redis.running() : await Redis.fresh();
    const first = await this.#open();
    this.processes = [first];
    const shape = this.setting.shape;
    const wrong = shape && this.row.checks !== false ? await first.ask('fidelity', shape) : [];
    if (wrong.length > 0) this.figures.note(this.subject.label, `does not give back as it was: ${wrong.join(', ')}`);
    await first.ask('fill');
    if (this.row.fresh || this.row.machines) await first.close();
    if (this.row.machines) this.processes = await Promise.all(Array.from({ length: this.row.machines }, () => this.#open()));
    if (!this.row.fresh) await this.#ask('begin', 0);
  }

  /** Asks all of its processes at once, each with a number of its own. */
  #ask(name, number) {
    return Promise.all(this.processes.map((process, i) => process.ask(name, number * this.processes.length + i)));
  }

  async #measured(number) {
    if (!this.row.joined) return (await this.#ask('round', number))[0];
    const before = await Redis.gets();
    const answers = await this.#ask('round', number);
    return this.row.joined(answers, (await Redis.gets()) - before);
  }

  async round(number) {
    if (this.row.fresh) {
      this.processes = [await this.#open()];
      await this.#ask('begin', 0);
    }
    const values = await this.#measured(number);
    if (this.row.fresh) await this.processes[0].close();
    if (number >= 0) this.figures.add(this.setting.label, this.subject.label, number, values);
  }

  async close() {
    for (const process of this.processes ?? []) await process.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The order of a round: everybody is first, and last, as often as the others. */
export const rotated = (list, by) => list.map((_, index) => list[(index + by) % list.length]);

async function interleave(contestants, rounds, endMs) {
  const failed = new Set();
  const attempt = async (contestant, work) => {
    try {
      if (!failed.has(contestant)) await work();
    } catch (error) {
      failed.add(contestant);
      contestant.figures.breakOff(contestant.subject.label, error);
    }
  };
  try {
    for (const contestant of contestants) await attempt(contestant, () => contestant.prepare());
    for (let number = -1; number < rounds; number += 1) { // the first warms up
      if (number >= ROUNDS_MIN && performance.now() > endMs) break;
      for (const contestant of rotated(contestants, Math.max(0, number))) await attempt(contestant, () => contestant.round(number));
    }
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

export async function compare(row, sizes) {
  const figures = new Figures();
  const subjects = await loadSubjects(row.subjects, figures);
  const settings = row.settings(sizes);
  const settingMs = (1000 * (row.seconds ?? ROW_SECONDS)) / settings.length;
  for (const setting of settings) {
    const endMs = performance.now() + settingMs;
    figures.settings.push(setting.label);
    const taking = subjects.filter(({ name }) => row.takesPart?.(name, setting) ?? true);
    const contestants = taking.map((subject) => new Contestant(row, setting, subject, figures));
    const work = () => interleave(contestants, setting.rounds ?? sizes.rounds, endMs);
    await (row.around ? row.around(setting, work) : work());
  }
  return figures;
}
