'use strict';
// Where this machine's tiers and the shared one meet: memory, then disk, then the
// server, each giving to those before it. What the server gives is judged by the same
// marks as what is here, answered from, and put into this machine's tiers a moment later.

const { Promotions } = require('./promotions');
const { Remote } = require('./remote');
const { Telling } = require('./telling');
const { CLASSES } = require('../classes');
const { decode } = require('../codec');
const { HEAD_BYTES } = require('./envelope');

const STATE_KEY = 'nextcache:remote';
const TELL_MS = 1000;

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
  #promotions;
  #putting = new Map(); // key -> the last put of it that is under way here
  #telling = new Telling();
  #tellTimer;

  /** `here` is this machine's cache: engine.js says what it can do. */
  constructor(config, here) {
    this.#here = here;
    this.#promotions = new Promotions(here);
    this.#remote = new Remote(config, {
      dir: here.dir,
      birth: () => here.birth(),
      mark: (tags, deadAfterMs) => here.mark(tags, deadAfterMs),
      clear: () => this.#clearHere(),
      parseRecord: (bytes, key) => here.parseRecord(bytes, key),
      load: () => this.#load(),
      save: (state) => here.put(STATE_KEY, CLASSES.other, [], {}, state),
    });
    this.#remote.start();
    this.tell();
    this.#tellTimer = setInterval(() => this.tell(), TELL_MS).unref();
  }

  #clearHere() {
    this.#promotions.clear();
    return this.#here.clear();
  }

  async #load() {
    const { parts } = await this.#here.get(STATE_KEY, CLASSES.other);
    return parts ? decode(parts) : undefined;
  }

  /** Tells those who look from outside how it is. */
  tell() {
    this.#here.tell(this.#telling.next(this.#remote.stats()));
  }

  close() {
    clearInterval(this.#tellTimer);
    this.tell();
    this.#remote.close();
    this.#promotions.flush();
  }

  has(classId) {
    return SHARED_CLASSES.has(classId);
  }

  /** Whether nothing that was found a moment ago may be taken to be true still. */
  get isDoubtful() {
    return this.#remote.isDoubtful;
  }

  /**
   * What `look` finds here, now or as a promise; on a miss, or on something stale, what the
   * server has, of which `finish` makes what `look` makes of what is here.
   */
  get(key, softTags, look, finish = (found) => found) {
    const sure = this.#remote.beforeGet();
    if (sure instanceof Promise) return sure.then((late) => this.#get(late, key, softTags, look, finish));
    return this.#get(sure, key, softTags, look, finish);
  }

  #get(sure, key, softTags, look, finish) {
    const found = look();
    if (found instanceof Promise) return found.then((late) => this.#complete(late, sure, key, softTags, finish));
    return this.#complete(found, sure, key, softTags, finish);
  }

  #complete(found, sure, key, softTags, finish) {
    const here = this.#judged(found, sure);
    if (here.result === OK || sure === false) return here;
    const record = this.#promotions.get(key) ?? this.#remote.read(key);
    if (record === undefined) return here;
    if (record instanceof Promise) return record.then((late) => this.#better(late, here, key, softTags, finish));
    return this.#better(record, here, key, softTags, finish);
  }

  /** What a record from the server says, if that is better than what is here. */
  #better(record, here, key, softTags, finish) {
    if (record === undefined) return here;
    const found = this.#here.readRecord(record, softTags);
    const isBetter = found.result === OK || (found.result === STALE && here.result !== STALE);
    if (!isBetter) return here;
    this.#promotions.add(key, record);
    return finish(found);
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

  /** To be called right after a put here, with what came of it; returns that. */
  afterPut(key, { birth = 0, expire = Infinity }, putting) {
    this.#supersede(key);
    if (!this.#remote.takesPuts) return putting;
    const record = this.#here.takeRecord(HEAD_BYTES);
    const born = birth || this.#here.birth();
    const share = (result) => {
      if (record && isKept(result)) this.#remote.put(key, record, born, expire);
      else if (result < OK) this.#remote.remove(key);
      return result;
    };
    if (!(putting instanceof Promise)) return share(putting);
    this.#putting.set(key, putting);
    return putting.then((result) => (this.#isLast(key, putting) ? share(result) : result));
  }

  /** Whether nothing was put under the key, or removed, since; to be asked once. */
  #isLast(key, putting) {
    return this.#putting.get(key) === putting && this.#putting.delete(key);
  }

  /** A value of this machine is newer than what comes, or came, from the server, or goes there. */
  #supersede(key) {
    this.#remote.supersede(key);
    this.#promotions.delete(key);
    this.#putting.delete(key);
  }

  remove(key) {
    this.#supersede(key);
    this.#remote.remove(key);
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
