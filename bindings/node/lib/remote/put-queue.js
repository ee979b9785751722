'use strict';
// What is on its way to the server, off the requests: what comes within a moment goes in
// one write, one batch after the other. Of several values for one key only the last is
// sent; beyond its bounds the queue drops, because an entry that is not shared costs a
// render, and one that waits costs memory.

const WAIT_MS = 5;
const BATCH_MAX = 64;
const BATCH_BYTES_MAX = 4 * 2 ** 20;
const BYTES_MAX = 32 * 2 ** 20;

class PutQueue {
  dropped = 0;
  #waiting = new Map(); // key -> {bytes, make}
  #bytes = 0; // with what is on its way
  #waitingBytes = 0;
  #send;
  #isSending = false;
  #sending = new Set(); // the keys of what is on its way
  #timer;

  /** `send` takes a list of what was added as `make`; its promise must not reject. */
  constructor(send) {
    this.#send = send;
  }

  /** With no bytes it goes at once, and what waits with it: something is not to be found any more. */
  add(key, bytes, make) {
    this.#remove(key);
    if (this.#bytes + bytes > BYTES_MAX) {
      this.dropped++;
      return;
    }
    this.#waiting.set(key, { bytes, make });
    this.#bytes += bytes;
    this.#waitingBytes += bytes;
    this.#schedule(bytes === 0);
  }

  /** The next batch goes when it is full, or a moment has passed. */
  #schedule(isUrgent = false) {
    if (this.#isSending || this.#waiting.size === 0) return;
    if (isUrgent || this.#waiting.size >= BATCH_MAX || this.#waitingBytes >= BATCH_BYTES_MAX) this.#sendNext();
    else this.#timer ??= setTimeout(() => this.#sendNext(), WAIT_MS).unref();
  }

  /** Whether something is to replace what the server has under a key. */
  has(key) {
    return this.#waiting.has(key) || this.#sending.has(key);
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
    const bytes = this.#waiting.get(key)?.bytes ?? 0;
    this.#bytes -= bytes;
    this.#waitingBytes -= bytes;
    this.#waiting.delete(key);
  }

  /** The oldest of what waits, which waits no more: {makes, bytes}. */
  #take() {
    const makes = [];
    let bytes = 0;
    for (const [key, item] of this.#waiting) {
      if (makes.length === BATCH_MAX || (makes.length > 0 && bytes + item.bytes > BATCH_BYTES_MAX)) break;
      this.#waiting.delete(key);
      this.#sending.add(key);
      makes.push(item.make);
      bytes += item.bytes;
    }
    this.#waitingBytes -= bytes;
    return { makes, bytes };
  }

  async #sendNext() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isSending = true;
    const { makes, bytes } = this.#take();
    await this.#send(makes);
    this.#bytes -= bytes;
    this.#sending.clear();
    this.#isSending = false;
    this.#schedule();
  }
}

module.exports = { PutQueue };
