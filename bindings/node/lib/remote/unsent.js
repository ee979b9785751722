'use strict';
// Invalidations that could not be sent. They are in force on this machine already; what
// is kept here is sent when the server is back, also by another process of this
// directory if this one has ended by then: memory is what counts while the process
// lives, and its file speaks for it after that. Sending something twice costs a render.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const FORM = /^unsent-[0-9a-f]{16}$/;
const TAGS_MAX = 10000;

const fileIn = (dir) =>
  path.join(/* turbopackIgnore: true */ dir, `unsent-${crypto.randomBytes(8).toString('hex')}`);

class Unsent {
  #dir;
  #file;
  #marks = new Map(); // tag -> the earliest death that was asked for: 0, a wall time, or Infinity
  #clear = false;

  /** `dir` is undefined where there is no disk tier: then only memory keeps them. */
  constructor(dir) {
    this.#dir = dir && path.join(/* turbopackIgnore: true */ dir, 'remote');
    this.#file = this.#dir && fileIn(this.#dir);
  }

  get size() {
    return this.#marks.size + (this.#clear ? 1 : 0);
  }

  addMarks(tags, deadAfterMs) {
    this.#addDeaths(tags, deadAfterMs === 0 ? 0 : Date.now() + deadAfterMs);
  }

  #addDeaths(tags, deadAt) {
    for (const tag of tags) this.#marks.set(tag, Math.min(deadAt, this.#marks.get(tag) ?? Infinity));
    if (this.#marks.size > TAGS_MAX) this.addClear();
    else this.#write();
  }

  /** Everything is to be forgotten: more than any mark says. */
  addClear() {
    this.#clear = true;
    this.#marks.clear();
    this.#write();
  }

  #write() {
    if (!this.#dir) return;
    fs.mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const temporary = `${this.#file}.new`;
    const marks = [...this.#marks].map(([tag, at]) => [tag, at === Infinity ? 'never' : at]);
    const descriptor = fs.openSync(temporary, 'w', 0o600);
    try {
      fs.writeSync(descriptor, JSON.stringify({ clear: this.#clear, marks }));
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, this.#file);
  }

  /**
   * Takes over what other processes have left. Each file is renamed first: an owner that
   * lives writes the next one beside it, and dying here leaves a file like any other.
   */
  #adopt() {
    const names = this.#dir && fs.existsSync(this.#dir) ? fs.readdirSync(this.#dir) : [];
    for (const name of names.filter((each) => FORM.test(each))) {
      const theirs = path.join(/* turbopackIgnore: true */ this.#dir, name);
      if (theirs === this.#file) continue;
      const taken = fileIn(this.#dir);
      try {
        fs.renameSync(theirs, taken);
        const { clear, marks } = JSON.parse(fs.readFileSync(taken, 'utf8'));
        if (clear) this.addClear();
        for (const [tag, at] of marks) this.#addDeaths([String(tag)], at === 'never' ? Infinity : Number(at));
        fs.rmSync(taken, { force: true });
      } catch {
        // Taken by another process, or not ours to read: whoever can will send it.
      }
    }
  }

  /** Hands everything to `send`, {clear} or {tags, deadAfterMs} at a time; throws when it does. */
  async flush(send) {
    this.#adopt();
    if (this.#clear) {
      await send({ clear: true });
      this.#clear = false;
    }
    const byDeath = new Map();
    for (const [tag, at] of this.#marks) byDeath.set(at, [...(byDeath.get(at) ?? []), tag]);
    for (const [at, tags] of byDeath) {
      // The time that it waited has passed of its deadline.
      await send({ tags, deadAfterMs: at === Infinity ? at : Math.max(0, at - Date.now()) });
      for (const tag of tags) if (this.#marks.get(tag) === at) this.#marks.delete(tag);
    }
    if (this.#file && this.size === 0) fs.rmSync(this.#file, { force: true });
  }
}

module.exports = { Unsent };
