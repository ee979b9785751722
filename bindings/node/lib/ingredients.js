'use strict';
// What one request has been given. Next.js and React answer the second read of
// a thing from the first for as long as the request goes on, also inside a
// function whose result is stored. Such a result may be younger than an
// invalidation that its content is older than. So it is born no later than what
// the request was given before: at the look-up that found it valid, or, if it
// was stale by then, when it was born itself.

const { currentWork } = require('./next');
const { shared } = require('./shared');

const byRequest = () => shared('ingredients', () => new WeakMap());

class Ingredients {
  #given = new Map();

  /** That the content of `key` is at least as old as `birth`. */
  note(key, tags, birth) {
    this.#given.set(key, { tags, birth });
  }

  /** The birth of what is stored under `key`; holds(tags) says what it may be made of. */
  birthOf(key, birth, holds) {
    let oldest = birth;
    for (const [other, given] of this.#given) {
      if (other !== key && given.birth < oldest && holds(given.tags)) oldest = given.birth;
    }
    return oldest;
  }
}

/** Those of the request that is being worked on; undefined outside of one. */
function ingredientsOfRequest() {
  const work = currentWork();
  if (!work) return undefined;
  let found = byRequest().get(work);
  if (!found) byRequest().set(work, (found = new Ingredients()));
  return found;
}

module.exports = { Ingredients, ingredientsOfRequest };
