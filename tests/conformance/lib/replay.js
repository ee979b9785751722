// Replays a vector: makes every recorded call again, in the recorded order and
// at the recorded times, and compares each answer with the recorded one.
//
// The arrangement says which processes play the recorded ones:
//   one      the same as recorded: some that build, then one that serves
//   two      two that serve from one cache directory, requests in turn
//   restart  one that serves and is killed (SIGKILL) after every tenth request
//   whole    one for build and server, for a cache that keeps nothing on disk
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { HostProcess } = require('./process.js');
const { Clock } = require('./clock.js');
const { History } = require('./history.js');
const { setTime } = require('./vector.js');
const { compare, compareAnswers, compareEntries, compareMoments } = require('./compare.js');
const { normalise } = require('./encoding.js');

const REQUESTS_PER_LIFE = 10;

class Replay {
  differences = [];
  answers = 0; // gets that were compared
  #options = new Map(); // "<process>:<inst>" -> options of its construction
  #owners = new Map(); // "<process>:<inst>" or "<cls> <key>" -> host
  #hosts = [];
  #sets = new Map(); // "<cls> <key>" -> the answer of a plural set under way
  #history = new History();
  #request = { number: 0, path: '(start)' };

  /** `next` is the Next.js whose own cache answers: for the engine "next", and
   * for "hand-over", which is ours, told to leave everything to it. */
  constructor({ vector, engine, arrangement, folder, clockLibrary, next, env }) {
    Object.assign(this, { vector, engine, arrangement, folder, next, env });
    fs.mkdirSync(folder, { recursive: true });
    this.app = vector.makeApp(path.join(folder, 'app'), next);
    this.clock = new Clock(clockLibrary, path.join(folder, 'clock'), vector.rows[0].t);
  }

  /** The engine as differences.js calls it. */
  get label() {
    return this.next ? `next ${this.vector.major}` : this.engine;
  }

  async run() {
    let phase = 'build';
    try {
      for (const row of this.vector.rows) {
        if (row.phase === 'start' && phase === 'build') {
          await this.#endBuild();
          phase = 'start';
        }
        this.clock.advanceTo(row.t);
        if (row.op === 'marker') await this.#marker(row);
        else await this.#replay(row);
        this.#history.note(row);
      }
    } finally {
      await this.#killAll();
      this.clock.close();
    }
    return this;
  }

  async #marker({ label, path }) {
    if (label !== 'request') return;
    this.#request = { number: this.#request.number + 1, path };
    if (this.arrangement === 'restart' && this.#request.number % REQUESTS_PER_LIFE === 0) await this.#killAll();
  }

  async #endBuild() {
    if (this.arrangement !== 'whole') await this.#killAll();
    this.#setTimesOfFetchCache();
  }

  /** The kernel's clock is not ours: what Next's own cache wrote during the
   * build gets the time at which it was written in the recording. */
  #setTimesOfFetchCache() {
    for (const { op, cls, phase, t, args } of this.vector.rows) {
      const file = op === 'set' && cls === 'singular' && phase === 'build' && path.join(this.app.dist, 'cache/fetch-cache', args[0]);
      if (file && fs.existsSync(file)) setTime(file, t);
    }
  }

  async #killAll() {
    await Promise.all(this.#hosts.map((host) => host?.kill()));
    this.#hosts = [];
    this.#owners.clear();
    this.#sets.clear();
  }

  /** The process that plays the recorded one for the present request. */
  async #host(row) {
    const slot = this.#slot(row);
    this.#hosts[slot] ??= await HostProcess.start({
      engine: this.engine === 'hand-over' ? 'nextcache' : this.engine,
      app: this.app,
      env: {
        ...this.clock.env,
        NEXT_CACHE_DIR: path.join(this.folder, 'cache'),
        ...(row.phase === 'build' && this.arrangement !== 'whole' ? { NEXT_PHASE: 'phase-production-build' } : {}),
        ...(this.next ? { CONFORMANCE_NEXT: this.next } : {}),
        ...(this.engine === 'hand-over' ? { NEXT_CACHE_ENGINE: 'next' } : {}),
        ...this.env,
      },
    });
    return this.#hosts[slot];
  }

  #slot({ process, phase }) {
    if (this.arrangement === 'whole') return 0;
    const twin = phase === 'start' && this.arrangement === 'two' ? this.#request.number % 2 : 0;
    return process * 2 + twin;
  }

  /** Work that began in one process goes on there: an instance, or a plural
   * get and the set that it leads to. */
  async #ownerOf(name, row) {
    if (!this.#owners.has(name)) this.#owners.set(name, await this.#host(row));
    return this.#owners.get(name);
  }

  async #replay(row) {
    if (row.cls === 'singular') return this.#singular(row);
    return this.#plural(row);
  }

  async #singular(row) {
    const inst = `${row.process}:${row.inst}`;
    if (row.op === 'construct') {
      this.#options.set(inst, this.#optionsHere(row.args[0]));
      this.#owners.delete(inst); // the numbers start anew in each recorded process
    }
    const host = await this.#ownerOf(inst, row);
    await host.construct(inst, this.#options.get(inst));
    if (row.op === 'construct') return;
    const answer = await host.call({ cls: 'singular', inst }, row.op, row.args);
    await this.#judge(row, answer, compareAnswers);
  }

  async #plural(row) {
    const name = `${row.cls} ${row.args[0]}`;
    if (row.op === 'get') this.#owners.delete(name);
    if (row.op === 'set:begin') return this.#beginSet(name, row);
    if (row.op === 'set:entry') return this.#settle(name, row, { entry: row.args[1] });
    if (row.op === 'set:error') return this.#settle(name, row, { error: row.error });
    const host = row.op === 'get' ? await this.#ownerOf(name, row) : await this.#host(row);
    const answer = await host.call({ cls: row.cls }, row.op, row.args);
    await this.#judge(row, answer, row.op === 'get' ? compareEntries : compareMoments);
  }

  async #beginSet(name, row) {
    const host = await this.#ownerOf(name, row);
    this.#sets.set(name, host.ask('beginSet', { cls: row.cls, key: row.args[0] }));
  }

  /** What Next makes of a set that fails is its own affair; only one of an
   * entry that came about must not. */
  async #settle(name, row, outcome) {
    const host = await this.#ownerOf(name, row);
    await host.ask('settle', { key: row.args[0], ...outcome });
    const answer = await this.#sets.get(name);
    this.#sets.delete(name);
    if (outcome.entry) await this.#judge({ ...row, op: 'set' }, answer, compare);
  }

  #optionsHere(options) {
    return { ...options, serverDistDir: path.join(this.app.dist, 'server') };
  }

  async #judge(row, { result, threw }, comparison) {
    if (threw) return this.#differ(row, { path: '(threw)', expected: 'no error', actual: threw });
    if (row.op !== 'get' && row.op !== 'getExpiration') return;
    this.answers += 1;
    const expected = await normalise('result' in row ? row.result : { $t: 'undefined' });
    for (const difference of comparison(expected, result)) this.#differ(row, difference);
  }

  #differ(row, { path, expected, actual }) {
    const ctx = row.cls === 'singular' ? row.args[1] : undefined;
    this.differences.push({
      suite: 'replay',
      vector: this.vector.name,
      engine: this.label,
      arrangement: this.arrangement,
      row: row.index,
      phase: row.phase,
      request: this.#request.path,
      op: row.op,
      cls: row.cls,
      kind: ctx?.kind ?? ctx?.kindHint,
      key: row.args[0],
      ctx,
      path,
      expected,
      actual,
      recorded: row.result,
      history: this.#history.of(row),
    });
  }
}

module.exports = { Replay };
