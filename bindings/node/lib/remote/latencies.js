'use strict';
// How long the last look-ups took: as many as tell what 99 % of them do.

const KEPT = 1000;

class Latencies {
  #ms = new Float64Array(KEPT);
  #count = 0;

  add(ms) {
    this.#ms[this.#count++ % KEPT] = ms;
  }

  /** What these shares of them took at most, in milliseconds; 0 before the first. */
  quantiles(...shares) {
    const sorted = this.#ms.slice(0, Math.min(this.#count, KEPT)).sort();
    return shares.map((share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  }
}

module.exports = { Latencies };
