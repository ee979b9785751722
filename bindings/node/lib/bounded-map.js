'use strict';

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
    if (this.size > this.#limit) this.delete(this.keys().next().value);
    return this;
  }
}

module.exports = { BoundedMap };
