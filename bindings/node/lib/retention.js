'use strict';
// When a re-render fails, Next.js stores the very object again that get
// returned, with a short lifetime, so that it does not try again at once. That
// must not make old content look new: nothing is stored, the entry keeps its
// birth and lifetime, and only this process remembers not to retry before a
// while. Until then the entry is handed out as if it were fresh.

const { forgetAnswers } = require('./answers');
const { BoundedMap } = require('./bounded-map');
const { wallNow } = require('./clock');
const { shared } = require('./shared');

const KEYS_MAX = 10000;

const isObject = (value) => value !== null && typeof value === 'object';

/**
 * Which key a value was returned for, as a private field of the value itself (a
 * constructor that returns an object adds its fields to it): nobody else sees it, and
 * unlike an entry of a WeakMap it costs nothing when garbage is collected.
 */
function createKeyOfValue() {
  const Identity = class {
    constructor(value) {
      return value;
    }
  };
  return class extends Identity {
    #key;

    static set(value, key) {
      if (!(#key in value)) new this(value);
      value.#key = key;
    }

    static get(value) {
      return #key in value ? value.#key : undefined;
    }
  };
}

const state = () =>
  shared('retention', () => ({ keyOfValue: createKeyOfValue(), retries: new BoundedMap(KEYS_MAX) }));

/** Notes that `value` was returned by a get of `key`. */
function noteReturned(key, value) {
  if (isObject(value)) state().keyOfValue.set(value, key);
}

/** Whether a set of `value` is Next retaining what a get of `key` returned. */
const isRetained = (key, value) => isObject(value) && state().keyOfValue.get(value) === key;

/** Notes a failed re-render: not again before `seconds` have passed. */
function retain(key, seconds) {
  const now = wallNow();
  forgetAnswers();
  state().retries.set(key, { since: now, until: now + seconds * 1000, seconds });
}

/** {since, until, seconds} while a key is not to be re-rendered. */
function retention(key) {
  const { retries } = state();
  if (retries.size === 0) return undefined;
  const entry = retries.get(key);
  if (!entry) return undefined;
  const now = wallNow();
  if (entry.since <= now && now < entry.until) return entry;
  retries.delete(key);
  return undefined;
}

function endRetention(key) {
  const { retries } = state();
  if (retries.size > 0) retries.delete(key);
}

module.exports = { endRetention, isRetained, noteReturned, retain, retention };
