'use strict';
// Follows the log of invalidations on a connection of its own, and obeys it:
//
//   connect ── attach: from where? ── replay ── follow, entry by entry
//      └────────── a pause ───────────── whatever breaks ──────┘
//
// Being attached means that everything that the server has told is obeyed. Since when
// that is not so any more decides what may still be served.

const { BATCH, BLOCK_MS } = require('./invalidation-log');
const { Versions, msOfVersion, versionOfId } = require('./versions');
const { pause, within } = require('./connection');

const PAUSE_MS = [10, 1000];
const ANSWER_MS = 1000;
const ARRIVING_MS = 50; // an entry that is younger has just been written
const EPOCH_JUMP = 2 ** 19; // more than marks make between two looks
const SAVE_EVERY_MS = 1000;
const SAVE_AT_LEAST_MS = 10000;

const START = '0-0';

/** The log is another one, or not where it was: everything is to be asked anew, at once. */
class Displaced extends Error {}

class Follower {
  versions = new Versions();
  generation = undefined;
  attached = false;
  received = 0; // invalidations that came from the log
  clears = 0; // of this machine's tiers, because nothing from before could be believed
  #id = START;
  #version = -1n;
  #sureAt;
  #saved = { id: undefined, at: -Infinity };
  #waiting = [];
  #marking = Promise.resolve();
  #closed = false;
  #connection;
  #giveUp;
  #epoch = 0; // when it was last looked at
  #serverMs; // what the server's clock said
  #serverMsAt; // when, on this process's
  #firstTry;
  #firstTried;

  /**
   * @param log      the log
   * @param connect  opens a connection
   * @param local    this machine's tiers: birth(), mark(), clear(), load(), save()
   * @param onChange told of every attaching (undefined) and of what ended it (an error)
   */
  constructor({ log, connect, local, onChange }) {
    Object.assign(this, { log, connect, local, onChange });
    this.#sureAt = performance.now();
    this.#firstTry = new Promise((resolve) => (this.#firstTried = resolve));
  }

  /** Settles when the log was reached for the first time, or was not. */
  get firstTry() {
    return this.#firstTry;
  }

  /** For how long it has not been known what was invalidated, in milliseconds. */
  get unsureMs() {
    return performance.now() - this.#sureAt;
  }

  get position() {
    return this.#id;
  }

  get version() {
    return this.#version;
  }

  /** Whether the log ends before what has been read of it. */
  isAhead(last) {
    return last.version < this.#version;
  }

  async run() {
    let tries = 0;
    while (!this.#closed) {
      try {
        await this.#session(() => (tries = 0));
      } catch (error) {
        this.#detach(error);
        if (error instanceof Displaced) continue;
      }
      const [shortest, longest] = PAUSE_MS;
      await pause(Math.min(longest, shortest * 2 ** Math.min(tries++, 10)) * (0.5 + Math.random() / 2));
    }
  }

  async #session(onAttached) {
    const connection = await this.connect('log');
    if (this.#closed) return connection.close();
    this.#connection = connection;
    connection.whenLost.then(() => this.#giveUp?.(new Error('the connection broke')));
    const send = (key, args) => within(ANSWER_MS + BLOCK_MS, this.#unlessLost(connection, key, args), args[0]);
    try {
      await this.#attach(send);
      this.attached = true;
      onAttached();
      this.#firstTried();
      this.onChange();
      for (;;) await this.#obey(await this.log.after(send, this.#id, true));
    } finally {
      connection.close();
    }
  }

  #unlessLost(connection, key, args) {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject; // one call at a time
      connection.send(key, args).then(resolve, reject);
    });
  }

  #detach(error) {
    this.attached = false;
    this.#firstTried();
    if (!this.#closed && !(error instanceof Displaced)) this.onChange(error);
  }

  /**
   * Whether the directory is another than before: removed, or emptied by another process,
   * and the marks in it with it. A new one counts far from where the old one was.
   */
  isUprooted() {
    const before = this.#epoch;
    this.#epoch = this.local.birth();
    return this.attached && (this.#epoch < before || this.#epoch - before > EPOCH_JUMP);
  }

  /** Obeys the whole log again, from its beginning. */
  startOver() {
    this.generation = undefined;
    this.restart();
  }

  /** To be called when something looks wrong: begins again with a new connection. */
  restart() {
    this.#connection?.close();
  }

  close() {
    this.#closed = true;
    this.restart();
    for (const { resolve } of this.#waiting.splice(0)) resolve(false);
  }

  // ---- from where ------------------------------------------------------------------------

  async #attach(send) {
    const known = this.generation ? { generation: this.generation, id: this.#id } : await this.#recall();
    const current = await this.log.current(send);
    if (known?.generation === current.generation && (await this.log.has(send, known.id))) this.#resume(known);
    else await this.#beginAgain(send, known, current);
    this.#serverMs = await this.log.serverMs(send);
    this.#serverMsAt = performance.now();
    for (;;) {
      const entries = await this.log.after(send, this.#id, false);
      if (entries.length === 0) break;
      await this.#obey(entries);
    }
    // Whatever was begun meanwhile is registered by now.
    if ((await this.log.current(send)).generation !== this.generation) throw new Displaced('another generation');
    this.#sureAt = performance.now();
    this.#save();
  }

  /** What a process of this directory knew last; its certainty counts from then. */
  async #recall() {
    const saved = await this.local.load();
    if (!saved || versionOfId(saved.id) === undefined) return undefined;
    this.#sureAt = Math.min(this.#sureAt, performance.now() - Math.max(0, Date.now() - saved.at));
    return saved;
  }

  #resume(known) {
    if (this.generation) return;
    this.generation = known.generation;
    this.#id = known.id;
    this.#version = versionOfId(known.id);
    this.versions.load(known.versions);
    this.#epoch = this.local.birth();
  }

  /**
   * Reads the log from where its generation begins, or from what is left of it. A directory
   * that has no place in any log is as old as its oldest build output, so nothing in it is
   * believed unless the log is whole.
   */
  async #beginAgain(send, known, current) {
    let first = await this.log.first(send);
    const lostItsEnd = known?.generation === current.generation && (!first || first.version <= versionOfId(known.id));
    if (!first || lostItsEnd) {
      current = await this.log.beginAnew(send, current);
      first = await this.log.first(send);
      if (!first) throw new Error('the server keeps nothing');
    }
    const isWhole = await this.log.has(send, current.begin);
    if (known || !isWhole) await this.#forget();
    this.generation = current.generation;
    this.#id = isWhole ? current.begin : START;
    this.#version = isWhole ? versionOfId(current.begin) : first.version - 1n;
    this.versions.clear();
    this.#epoch = this.local.birth();
    this.versions.add(this.#version, this.#epoch);
  }

  async #forget() {
    this.#saved = { id: undefined, at: -Infinity };
    await this.local.clear();
    this.clears++;
  }

  // ---- obeying ---------------------------------------------------------------------------

  /** Obeys entries of the log, those that are not obeyed yet. Marks are in force when it returns. */
  async #obey(entries) {
    if (this.#take(entries)) await this.#forget();
    this.#sureAt = performance.now();
    this.#save();
  }

  /** Marks what the entries say; true when one cannot be understood. */
  #take(entries) {
    let last;
    let run;
    let unknown = false;
    for (const entry of entries) {
      if (entry.version <= this.#version) continue;
      // In a replay, begins of older generations lie on the way.
      if (entry.begin && this.attached && entry.begin !== this.generation) throw new Displaced('another generation');
      const deadAfterMs = entry.tags && this.#remaining(entry);
      if (entry.tags && run?.deadAfterMs === deadAfterMs) {
        for (const tag of entry.tags) run.tags.add(tag); // as arguments of one call they may be too many
      } else if (entry.tags) {
        this.#mark(run);
        run = { tags: new Set(entry.tags), deadAfterMs };
      } else if (!entry.begin) {
        unknown = true;
      }
      if (entry.tags) this.received++;
      last = entry;
    }
    this.#mark(run);
    if (last) this.#arrive(last);
    return unknown;
  }

  /** What is left of a deadline that was set when the entry was written, by the server's clock alone. */
  #remaining({ version, deadAfterMs }) {
    if (deadAfterMs === 0 || deadAfterMs === Infinity) return deadAfterMs;
    const ageMs = this.#serverMs - msOfVersion(version) + (performance.now() - this.#serverMsAt);
    return ageMs < ARRIVING_MS ? deadAfterMs : Math.max(0, deadAfterMs - ageMs);
  }

  #mark(run) {
    if (!run) return;
    const marked = this.local.mark([...run.tags], run.deadAfterMs);
    if (marked instanceof Promise) this.#marking = Promise.all([this.#marking, marked]);
  }

  #arrive({ id, version }) {
    this.#id = id;
    this.#version = version;
    this.versions.add(version, this.local.birth());
    const arrived = (waiter) => waiter.version <= version;
    for (const waiter of this.#waiting.filter(arrived)) this.#marking.then(() => waiter.resolve(true));
    this.#waiting = this.#waiting.filter((waiter) => !arrived(waiter));
  }

  /** Whether the entry `id` is obeyed, and durably, within so many milliseconds. */
  async arrival(id, ms) {
    const version = versionOfId(id);
    if (version <= this.#version) return this.#marking.then(() => true);
    const waiting = new Promise((resolve) => this.#waiting.push({ version, resolve }));
    return within(ms, waiting, 'the log', true).catch(() => false);
  }

  /** Reads on right now, on another connection. */
  async catchUp(send) {
    let entries;
    do {
      entries = await this.log.after(send, this.#id, false);
      await this.#obey(entries);
    } while (entries.length === BATCH);
  }

  // ---- over a restart --------------------------------------------------------------------

  /** Every mark up to the saved place is on disk before the place is. */
  #save() {
    const now = performance.now();
    const { id, at } = this.#saved;
    if (now - at < (this.#id === id ? SAVE_AT_LEAST_MS : SAVE_EVERY_MS)) return;
    this.#saved = { id: this.#id, at: now };
    const state = { generation: this.generation, id: this.#id, at: Date.now(), versions: this.versions.save() };
    this.#marking.then(() => this.local.save(state)).catch(() => {});
  }
}

module.exports = { Follower };
