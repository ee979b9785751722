'use strict';
// Births: the epoch that was seen when the work behind an entry began. Marks
// made after an entry's birth invalidate it, however late it was stored, so a
// birth may be too old (an extra miss) but never too young (stale content).

const { nextNow } = require('./clock');

/**
 * The gets of one request that will lead to a render, by key. Which of several
 * renders of a key a set belongs to cannot be told, so the oldest counts until
 * all of them are over.
 */
class PendingBirths {
  #byKey = new Map();

  /** `birth` was seen before the look-up that missed, or found something stale. */
  begin(key, birth) {
    const pending = this.#byKey.get(key);
    if (pending) pending.count++;
    else this.#byKey.set(key, { birth, began: nextNow(), count: 1 });
  }

  /** {birth, began} for a set of `key`; undefined when no get led to it. */
  finish(key) {
    const pending = this.#byKey.get(key);
    if (pending && --pending.count === 0) this.#byKey.delete(key);
    return pending;
  }
}

/**
 * What the epoch was at earlier moments of this process. A 'use cache' entry
 * carries the time at which its generation began, on Next's clock.
 */
class BirthLog {
  #times = [];
  #births = [];
  #limit;

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  /** Notes that the epoch is `birth` now. */
  add(birth, now) {
    const last = this.#births.length - 1;
    if (last >= 0 && this.#births[last] === birth) return;
    this.#times.push(now ?? nextNow());
    this.#births.push(birth);
    if (this.#times.length > this.#limit) {
      this.#times.splice(0, this.#limit / 2);
      this.#births.splice(0, this.#limit / 2);
    }
  }

  /**
   * The youngest birth noted at or before `time`; undefined before all of them.
   */
  at(time) {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#times[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low > 0 ? this.#births[low - 1] : undefined;
  }
}

module.exports = { BirthLog, PendingBirths };
