'use strict';
// Invalidations that could not be sent. They are in force on this machine already; what
// is kept here is sent when the server is back, also by another process of this
// directory if this one has ended by then: memory is what counts while the process
// lives, and its file speaks for it after that. Sending something twice costs a render.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { warn } = require('../log');

const FORM = /^unsent-[0-9a-f]{16}$/;
const TAGS_MAX = 10000;
const LEFT_MS = 5000; // after which somebody who could send what is in a file would have

const fileIn = (dir) =>
  path.join(/* turbopackIgnore: true */ dir, `unsent-${crypto.randomBytes(8).toString('hex')}`);

function isReadable(file) {
  try {
    fs.accessSync(file, fs.constants.R_OK);
    return true;
  } catch {
    return false; // whoever can will send it
  }
}

/** Also of a file that a clock which was set back calls young. */
const ageOf = (file) => Math.abs(Date.now() - (fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()));

class Unsent {
  #dir;
  #file;
  #marks = new Map(); // tag -> {at}: the earliest death that was asked for: 0, a wall time, or Infinity
  #clear; // an object of its own for each, as `at` has: what is asked for again is not what is being sent

  /** `dir` is undefined where there is no disk tier: then only memory keeps them. */
  constructor(dir) {
    this.#dir = dir && path.join(/* turbopackIgnore: true */ dir, 'remote');
    this.#file = this.#dir && fileIn(this.#dir);
  }

  get size() {
    return this.#marks.size + (this.#clear ? 1 : 0);
  }

  addMarks(tags, deadAfterMs) {
    this.#noteDeaths(tags, deadAfterMs === 0 ? 0 : Date.now() + deadAfterMs);
    this.#keep();
  }

  /** Everything is to be forgotten: more than any mark says. */
  addClear() {
    this.#noteClear();
    this.#keep();
  }

  #noteDeaths(tags, deadAt) {
    for (const tag of tags) this.#marks.set(tag, { at: Math.min(deadAt, this.#marks.get(tag)?.at ?? Infinity) });
    if (this.#marks.size > TAGS_MAX) this.#noteClear();
  }

  #noteClear() {
    this.#clear = {};
    this.#marks.clear();
  }

  /** As far as the disk lets it: memory has the same. */
  #keep() {
    if (!this.#dir) return;
    try {
      if (this.size > 0) this.#write();
      else fs.rmSync(this.#file, { force: true });
    } catch (error) {
      warn(
        'remote unsent',
        `invalidations for the shared tier wait in memory alone, and are lost if this process ends: ${this.#dir} cannot be written (${error.message})`,
      );
    }
  }

  #write() {
    fs.mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const temporary = `${this.#file}.new`;
    const marks = [...this.#marks].map(([tag, { at }]) => [tag, at === Infinity ? 'never' : at]);
    const descriptor = fs.openSync(temporary, 'w', 0o600);
    try {
      fs.writeFileSync(descriptor, JSON.stringify({ clear: this.#clear !== undefined, marks })); // whole, or it throws
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, this.#file);
  }

  /** The files that processes have left, and that are ours to read; none where that cannot be looked at. */
  #left() {
    try {
      const names = this.#dir ? fs.readdirSync(this.#dir).filter((name) => FORM.test(name)) : [];
      const files = names.map((name) => path.join(/* turbopackIgnore: true */ this.#dir, name));
      return files.filter((file) => file !== this.#file && isReadable(file));
    } catch {
      return [];
    }
  }

  /** Whether there is anything to send: of this process, or of one that would have sent it, if it could. */
  get isWaiting() {
    return this.size > 0 || this.#left().some((file) => ageOf(file) > LEFT_MS);
  }

  /**
   * Takes over what other processes have left. Each file is renamed first: an owner that
   * lives writes the next one beside it, and dying here leaves a file like any other.
   */
  #adopt() {
    for (const theirs of this.#left()) {
      const taken = fileIn(this.#dir);
      try {
        fs.renameSync(theirs, taken);
        this.#note(fs.readFileSync(taken, 'utf8'));
        this.#write();
        fs.rmSync(taken, { force: true });
      } catch {
        // Taken by another process.
      }
    }
  }

  /** What a file says. One that is damaged may have said anything. */
  #note(text) {
    try {
      const { clear, marks } = JSON.parse(text);
      if (clear) this.#noteClear();
      for (const [tag, at] of marks) this.#noteDeaths([String(tag)], at === 'never' ? Infinity : Number(at));
    } catch {
      this.#noteClear();
    }
  }

  /** Hands everything to `send`, {clear} or {tags, deadAfterMs} at a time; throws when it does. */
  async flush(send) {
    this.#adopt();
    const clear = this.#clear;
    if (clear) {
      await send({ clear: true });
      if (this.#clear === clear) this.#clear = undefined;
    }
    const byDeath = new Map();
    for (const mark of this.#marks) {
      const { at } = mark[1];
      if (!byDeath.has(at)) byDeath.set(at, []);
      byDeath.get(at).push(mark);
    }
    for (const [at, marks] of byDeath) {
      // The time that it waited has passed of its deadline.
      await send({ tags: marks.map(([tag]) => tag), deadAfterMs: at === Infinity ? at : Math.max(0, at - Date.now()) });
      for (const [tag, death] of marks) if (this.#marks.get(tag) === death) this.#marks.delete(tag);
    }
    if (this.size === 0) this.#keep();
  }
}

module.exports = { Unsent };
