'use strict';
// Records from the server on their way into this machine's tiers: many at a time, because
// the way to the thread pool and back costs more than a put. Until they are there, gets
// are answered from here.

const WAIT_MS = 5;
const WAITING_MAX = 64;

class Promotions {
  #here;
  #waiting = new Map(); // key -> record
  #going = new Map(); // those that are being put
  #timer;

  /** `here`: putRecords() and dropRecord() of this machine's cache. */
  constructor(here) {
    this.#here = here;
  }

  get(key) {
    return this.#waiting.get(key) ?? this.#going.get(key);
  }

  add(key, record) {
    if (this.get(key) === record) return;
    this.#waiting.set(key, record);
    if (this.#waiting.size >= WAITING_MAX) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT_MS).unref();
  }

  /**
   * The key has another value, or none. One that is being put has its place before
   * whatever is put from now on.
   */
  delete(key) {
    const waiting = this.#waiting.get(key);
    if (waiting) this.#here.dropRecord(waiting);
    this.#waiting.delete(key);
    this.#going.delete(key);
  }

  clear() {
    for (const key of [...this.#waiting.keys(), ...this.#going.keys()]) this.delete(key);
  }

  async flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const batch = this.#waiting;
    this.#waiting = new Map();
    for (const [key, record] of batch) this.#going.set(key, record);
    await this.#here.putRecords([...batch.values()]);
    for (const [key, record] of batch) this.#arrived(key, record);
  }

  #arrived(key, record) {
    if (this.#going.get(key) === record) this.#going.delete(key);
    this.#here.dropRecord(record);
  }
}

module.exports = { Promotions };
