'use strict';
// Where this machine's tiers and the shared one meet: memory, then disk, then the
// server, each giving to those before it. What the server gives is put into this
// machine's tiers and then looked up there, so that one judgement holds for all.

const { Remote } = require('./remote');
const { CLASSES } = require('../classes');
const { decode } = require('../codec');

const STATE_KEY = 'nextcache:remote';

// Images can be made again from what they were made of, and are large.
const SHARED_CLASSES = new Set([CLASSES.pages, CLASSES.routes, CLASSES.fetches, CLASSES.useCache]);

// Results of the core (nextcache.h).
const OK = 0;
const STALE = 1;
const MISS = 2;
const MEMORY_ONLY = 3;

const UNSURE = { result: MISS, why: 'unsure', whyTag: '', inMemory: false, parts: null };

const isKept = (result) => result === OK || result === MEMORY_ONLY;

class SharedTier {
  #here;
  #remote;

  /** `here` is this machine's cache: engine.js says what it can do. */
  constructor(config, here) {
    this.#here = here;
    this.#remote = new Remote(config, {
      dir: here.dir,
      birth: () => here.birth(),
      mark: (tags, deadAfterMs) => here.mark(tags, deadAfterMs),
      clear: () => here.clear(),
      load: () => this.#load(),
      save: (state) => here.put(STATE_KEY, CLASSES.other, [], {}, state),
    });
    this.#remote.start();
  }

  async #load() {
    const { parts } = await this.#here.get(STATE_KEY, CLASSES.other);
    return parts ? decode(parts) : undefined;
  }

  close() {
    this.#remote.close();
  }

  has(classId) {
    return SHARED_CLASSES.has(classId);
  }

  /** Whether nothing that was found a moment ago may be taken to be true still. */
  get isDoubtful() {
    return this.#remote.isDoubtful;
  }

  /** What `look` finds here, now or as a promise; on a miss, or on something stale, what the server has. */
  get(key, softTags, look) {
    const sure = this.#remote.beforeGet();
    if (sure instanceof Promise) return sure.then((late) => this.#get(late, key, softTags, look));
    return this.#get(sure, key, softTags, look);
  }

  #get(sure, key, softTags, look) {
    const found = look();
    if (found instanceof Promise) return found.then((late) => this.#complete(late, sure, key, softTags, look));
    return this.#complete(found, sure, key, softTags, look);
  }

  #complete(found, sure, key, softTags, look) {
    const here = this.#judged(found, sure);
    if (here.result === OK || sure === false) return here;
    const reading = this.#remote.read(key, (record) => this.#accept(record, key, softTags, here.result));
    return reading ? reading.then((taken) => (taken ? look() : here)) : here;
  }

  /** What was found, or judged, unless it is too long ago that anything was certain. */
  #judged(found, sure) {
    if (found.result !== OK && found.result !== STALE) return found;
    return sure === false || !this.#remote.believes(found.created) ? UNSURE : found;
  }

  judged(found, created) {
    if (found.result !== OK && found.result !== STALE) return found;
    return this.#remote.believes(created) ? found : { ...found, ...UNSURE };
  }

  /** Puts a record from the server into this machine's tiers, if it is better than what is there. */
  async #accept(record, key, softTags, resultHere) {
    const { result, put } = this.#here.judgeRecord(record, key, softTags);
    const isBetter = result === OK || (result === STALE && resultHere !== STALE);
    return isBetter && isKept(await put());
  }

  /** To be called right after a put here, with what came of it; returns that. */
  afterPut(key, { birth = 0, expire = Infinity }, putting) {
    this.#remote.supersede(key);
    if (!this.#remote.takesPuts) return putting;
    const record = this.#here.takeRecord();
    const born = birth || this.#here.birth();
    const share = (result) => {
      if (record && isKept(result)) this.#remote.put(key, record, born, expire);
      else if (result < OK) this.#remote.remove(key);
      return result;
    };
    return putting instanceof Promise ? putting.then(share) : share(putting);
  }

  remove(key) {
    if (this.#remote.takesPuts) this.#remote.remove(key);
  }

  mark(tags, deadAfterMs) {
    return this.#remote.mark(tags, deadAfterMs);
  }

  clear() {
    return this.#remote.clear();
  }

  stats() {
    return this.#remote.stats();
  }
}

module.exports = { SharedTier };
