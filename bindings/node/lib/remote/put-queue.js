'use strict';
// What is on its way to the server, off the requests. Of several values for one key only
// the last is sent; beyond its bounds the queue drops, because an entry that is not
// shared costs a render, and one that waits costs memory.

const PARALLEL = 4;
const BYTES_MAX = 32 * 2 ** 20;

class PutQueue {
  dropped = 0;
  #waiting = new Map(); // key -> {bytes, send}
  #bytes = 0;
  #sending = new Set();
  #woken = false;

  /** `send` is called later; its promise must not reject. */
  add(key, bytes, send) {
    this.#remove(key);
    if (this.#bytes + bytes > BYTES_MAX) {
      this.dropped++;
      return;
    }
    this.#waiting.set(key, { bytes, send });
    this.#bytes += bytes;
    if (this.#woken) return;
    this.#woken = true;
    setImmediate(() => {
      this.#woken = false;
      this.#pump();
    });
  }

  /** Waiting and on their way. */
  get bytes() {
    return this.#bytes;
  }

  clear() {
    this.dropped += this.#waiting.size;
    for (const key of [...this.#waiting.keys()]) this.#remove(key);
  }

  #remove(key) {
    this.#bytes -= this.#waiting.get(key)?.bytes ?? 0;
    this.#waiting.delete(key);
  }

  /** The oldest key that waits, unless its value before is still on its way. */
  #next() {
    for (const key of this.#waiting.keys()) if (!this.#sending.has(key)) return key;
    return undefined;
  }

  #pump() {
    while (this.#sending.size < PARALLEL) {
      const key = this.#next();
      if (key === undefined) return;
      const { bytes, send } = this.#waiting.get(key);
      this.#waiting.delete(key);
      this.#sending.add(key);
      send().finally(() => {
        this.#sending.delete(key);
        this.#bytes -= bytes;
        this.#pump();
      });
    }
  }
}

module.exports = { PutQueue };
