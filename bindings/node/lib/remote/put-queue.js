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
  #busy = 0;
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

  get bytes() {
    return this.#bytes;
  }

  clear() {
    this.dropped += this.#waiting.size;
    this.#waiting.clear();
    this.#bytes = 0;
  }

  #remove(key) {
    const item = this.#waiting.get(key);
    if (!item) return undefined;
    this.#waiting.delete(key);
    this.#bytes -= item.bytes;
    return item;
  }

  #pump() {
    while (this.#busy < PARALLEL && this.#waiting.size > 0) {
      const item = this.#remove(this.#waiting.keys().next().value);
      this.#busy++;
      item.send().finally(() => {
        this.#busy--;
        this.#pump();
      });
    }
  }
}

module.exports = { PutQueue };
