'use strict';

const PART_FORGOTTEN = 16; // at once: a Map looks for its oldest key among all that were deleted before it

/** A Map that forgets its oldest keys beyond a limit. Setting makes a key new. */
class BoundedMap extends Map {
  #limit;

  constructor(limit) {
    super();
    this.#limit = limit;
  }

  set(key, value) {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#limit) this.#forget(Math.ceil(this.#limit / PART_FORGOTTEN));
    return this;
  }

  #forget(count) {
    for (const oldest of this.keys()) {
      this.delete(oldest);
      if ((count -= 1) === 0) break;
    }
  }
}

module.exports = { BoundedMap };
