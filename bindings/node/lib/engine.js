'use strict';
// The one open cache of this environment, and the names for what the addon
// answers. Both handlers and programs come through here. It opens when it is
// first used; options in code and Next's memory size may arrive later.

const { forgetAnswers } = require('./answers');
const { addon, bundled, problem: addonProblem } = require('./addon');
const { BoundedMap } = require('./bounded-map');
const { decode, encode } = require('./codec');
const { imagesConfig, isBuilding, projectRoot, resolveConfig } = require('./config');
const { warn, warnOnce } = require('./log');
const { shared, sharedIfAny } = require('./shared');
const { SharedTier } = require('./remote/shared-tier');

// Results of the core, of nextcache.h.
const OK = 0;
const STALE = 1;
const MISS = 2;

const WHY = ['fresh', 'absent', 'tag', 'age', 'future', 'floor', 'corrupt', 'error'];
const WHY_FRESH = 0;
const WHY_TAG = 2;

// Slots of the array of numbers that the addon shares (addon.h).
const RESULT = 0;
const WHY_SLOT = 1;
const IN_MEMORY = 2;
const DEAD_AT = 3;
const BIRTH = 4;
const CREATED = 5;
const REVALIDATE = 6;
const EXPIRE = 7;
const ID = 8;
const STAMP = 9;
const STAMP_LENGTH = 8;
const STAMP_PLACE = 3; // of the stamp's numbers one that is never 0

const STRETCH_MAX = 2 ** 26; // addon.h: a place is start * STRETCH_MAX + size

const DECODED_MAX = 8192;
const HELD_MAX = 16;

/**
 * What was made of an entry, for as long as somebody has it. V8 takes what a WeakRef
 * refers to for alive until it collects the old generation, so that one for each value
 * makes garbage collection of what is asked for once, as by a crawler, twice as dear:
 * a value is held for this turn of the event loop, and by a WeakRef when it is asked for again.
 */
class Memo {
  static #held = [];
  #value;
  #ref;

  constructor(id, value) {
    this.id = id;
    const held = Memo.#held;
    if (held.length === HELD_MAX) return;
    this.#value = value;
    if (held.push(this) === 1) setImmediate(Memo.#release);
  }

  static #release() {
    for (const memo of Memo.#held.splice(0)) memo.#value = undefined;
  }

  get value() {
    return this.#value ?? this.#ref?.deref();
  }

  keep(value) {
    if (this.#ref?.deref() !== value) this.#ref = new WeakRef(value);
  }
}

class Engine {
  #native;
  #remote; // the tier that machines share, where there is one
  #opened = false;
  #config;
  #options = {};
  #nextMemory;
  #remembered = new Map();
  #decoded = new BoundedMap(DECODED_MAX); // key -> Memo

  /** Whether there is a cache; if not, Next's own takes over. Opens it. */
  get available() {
    if (!this.#opened) this.#open();
    return this.#native !== undefined;
  }

  get config() {
    return (this.#config ??= this.#resolve());
  }

  /** Options in code; those given later win. */
  configure(options) {
    this.#options = { ...this.#options, ...options };
    this.#change();
  }

  /** cacheMaxMemorySize, as Next passes it with every request. */
  setNextMemory(bytes) {
    if (bytes === undefined || bytes === this.#nextMemory) return;
    this.#nextMemory = bytes;
    this.#change();
  }

  #resolve() {
    const config = resolveConfig({
      options: this.#options,
      env: process.env,
      nextMemory: this.#nextMemory,
      building: isBuilding(),
      root: projectRoot(),
    });
    for (const text of config.problems) warnOnce(`config: ${text}`, text);
    return config;
  }

  #change() {
    forgetAnswers();
    if (!this.#opened) {
      this.#config = undefined;
      return;
    }
    const old = this.#config;
    this.#config = this.#resolve();
    if (!this.#native) return;
    for (const name of ['dir', 'diskBytes', 'engine']) {
      if (this.#config[name] !== old[name]) {
        warnOnce(
          `config: late ${name}`,
          `the cache is open already (${name}: ${old[name]}), ${this.#config[name]} counts from the next start; ` +
            'give options before the first use, or as an environment variable',
        );
        this.#config[name] = old[name];
      }
    }
    this.#config.remote = old.remote;
    this.#native.setMemory(this.#config.memoryBytes, this.#config.memoryItems);
    sharedIfAny('engine.images')?.follow(this.#config);
  }

  /** Takes what may change at any time from the cache that this one is part of. */
  follow(config) {
    const { memoryBytes, memoryItems } = imagesConfig(config);
    this.#native?.setMemory(memoryBytes, memoryItems);
  }

  #open() {
    this.#opened = true;
    try {
      const { dir, diskBytes, memoryBytes, memoryItems, engine } = this.config;
      if (engine === 'next') {
        warnOnce('engine', "engine=next: Next's own cache is in use, as NEXT_CACHE_ENGINE or the option says");
        return;
      }
      if (!addon) throw addonProblem;
      this.#native = addon.open(
        { dir: diskBytes > 0 ? dir : undefined, diskBytes, memoryBytes, memoryItems },
        (message) => warn(message),
      );
      if (this.config.remote) this.#share(diskBytes > 0 ? dir : undefined);
    } catch (error) {
      warnOnce('open', `engine=next: the native cache cannot be loaded, Next's own cache takes over: ${firstLine(error)}`);
    }
  }

  /** Adds the tier on a server, and tells it what it can do with this machine's. */
  #share(dir) {
    const native = this.#native;
    native.keepRecords(true);
    this.#remote = new SharedTier(this.config.remote, {
      dir,
      birth: () => native.birth(),
      get: (key, classId) => this.#look(key, classId, undefined, 0),
      put: (...args) => (this.#native === native ? this.put(...args) : MISS), // once closed, it would open
      mark: (tags, deadAfterMs) => settled((done) => native.mark(tags, deadAfterMs, done)),
      clear: () => settled((done) => native.clear(done)),
      takeRecord: (room) => native.takeRecord(room),
      parseRecord: (bytes, key) => native.parseRecord(bytes, storable(key)),
      readRecord: (record, softTags) => readFound(native, native.readRecord(record, softTags)),
      putRecords: (records) => settled((done) => native.putRecords(records, done)),
      dropRecord: (record) => native.dropRecord(record),
      tell: (numbers) => native.tellRemote(numbers),
    });
  }

  close() {
    this.#remote?.close();
    this.#remote = undefined;
    this.#native?.close();
    this.#native = undefined;
    this.#opened = false;
    this.#remembered.clear();
    this.#decoded.clear();
  }

  /** The value called `name`, made by `create`, for as long as this cache is open. */
  remembered(name, create) {
    if (!this.#remembered.has(name)) this.#remembered.set(name, create());
    return this.#remembered.get(name);
  }

  /** The epoch: what is born now is invalidated by every later mark. */
  birth() {
    return this.available ? this.#native.birth() : 0;
  }

  /**
   * Looks up a key: {result, why, whyTag, inMemory, deadAt, birth, created,
   * revalidate, expire, parts}, now or as a promise. `parts` is null on a miss.
   */
  get(key, classId, softTags) {
    if (!this.available) return { result: MISS, why: 'absent', parts: null };
    if (this.#remote?.has(classId)) return this.#remote.get(key, softTags, () => this.#look(key, classId, softTags, 0));
    return this.#look(key, classId, softTags, 0);
  }

  /**
   * As get(), with the decoded value as `stored`, undefined on a miss. As long as the
   * memory tier has the entry and somebody the value, it is the same object.
   */
  getStored(key, classId, softTags) {
    if (!this.available) return { result: MISS, why: 'absent' };
    const look = () => this.#lookStored(key, classId, softTags);
    if (this.#remote?.has(classId)) return this.#remote.get(key, softTags, look, (found) => this.#withStored(key, found));
    return look();
  }

  #lookStored(key, classId, softTags) {
    const memo = this.#decoded.get(key);
    const value = memo?.value;
    const found = this.#look(key, classId, softTags, value === undefined ? 0 : memo.id);
    if (found instanceof Promise) return found.then((late) => this.#withStored(key, late));
    if (found.parts !== true) return this.#withStored(key, found);
    memo.keep(value);
    found.stored = value;
    return found;
  }

  #withStored(key, found) {
    if (!found.parts) return found;
    const value = decode(found.parts);
    const memo = this.#decoded.get(key);
    if (memo?.id === found.id) memo.keep(value);
    else this.#decoded.set(key, new Memo(found.id, value));
    found.stored = value;
    return found;
  }

  /**
   * Whether the hit behind these terms would be the same again. If so, it counts as one.
   */
  unchanged(terms) {
    const native = this.#native;
    if (native === undefined || this.#remote?.isDoubtful) return false;
    const { numbers } = native;
    for (let i = 0; i < terms.length; i++) numbers[STAMP + i] = terms[i];
    return native.unchanged();
  }

  #look(key, classId, softTags, knownId) {
    const native = this.#native;
    if (native === undefined) return { result: MISS, why: 'absent', parts: null }; // closed meanwhile
    let resolve;
    native.numbers[ID] = knownId;
    const parts = native.get(storable(key), classId, softTags, (late) => resolve(readFound(native, late)));
    if (parts !== undefined) return readFound(native, parts);
    return new Promise((settle) => {
      resolve = settle;
    });
  }

  /**
   * Stores a value. `times` = {birth, created, revalidate, expire} in wall
   * milliseconds. The result, now or as a promise, when every process can see
   * it; a value that cannot be stored removes the key, and rejects. Other machines
   * get it unless `here` is set: they have it of themselves.
   */
  put(key, classId, tags, times, value, { here = false } = {}) {
    if (!this.available) return MISS;
    let encoded;
    try {
      encoded = encode(value);
    } catch (error) {
      return Promise.resolve(this.remove(key)).then(() => {
        throw error;
      });
    }
    const native = this.#native;
    writeTimes(native.numbers, times);
    const putting = settled((done) => native.put(storable(key), classId, tags, encoded.types, encoded.parts, done));
    return !here && this.#remote?.has(classId) ? this.#remote.afterPut(key, times, putting) : putting;
  }

  remove(key) {
    if (!this.available) return OK;
    this.#remote?.remove(key);
    return settled((done) => this.#native.remove(storable(key), done));
  }

  /** Empties the cache, of all machines. Rejects when they could not be told. */
  clear() {
    if (!this.available) return OK;
    if (this.#remote) return this.#remote.clear();
    return settled((done) => this.#native.clear(done));
  }

  /**
   * Marks tags dead (0), or stale now and dead after so many milliseconds, on all
   * machines, or only `here`. Rejects when it is in force here, and others could not be told.
   */
  mark(tags, deadAfterMs, { here = false } = {}) {
    if (!this.available || tags.length === 0) return OK;
    if (this.#remote && !here) return this.#remote.mark(tags, deadAfterMs);
    return settled((done) => this.#native.mark(tags, deadAfterMs, done));
  }

  /** Judges content that is kept elsewhere. */
  judge(tags, softTags, times) {
    if (!this.available) return { result: MISS, why: 'absent' };
    writeTimes(this.#native.numbers, times);
    this.#native.judge(tags, softTags);
    const found = readFound(this.#native, null);
    return this.#remote ? this.#remote.judged(found, times.created) : found;
  }

  /** What there is to be said of the tier that machines share; null where there is none. */
  remoteStats() {
    return this.available && this.#remote ? this.#remote.stats() : null;
  }

  stats() {
    return this.available ? this.#native.stats() : null;
  }

  /** Lifts what was in use before into memory: {entries, bytes}; null where there is no cache. */
  warm(maxMs) {
    return this.available ? settled((done) => this.#native.warm(maxMs, done)) : null;
  }

  /** The counters of the directory as Prometheus text; null where there is no cache. */
  metrics() {
    if (!this.available) return null;
    const { dir, diskBytes } = this.config;
    this.#remote?.tell(); // what it told last may be a second old
    return settled((done) => this.#native.metrics(diskBytes > 0 ? dir : '', done));
  }
}

const firstLine = (error) => String(error?.message ?? error).split('\n', 1)[0];

/**
 * Keys go to the core as UTF-8, which has no lone surrogates: two keys that
 * differ only in them must not become one.
 */
const storable = (key) => (key.isWellFormed() ? key : `\0${JSON.stringify(key)}`);

function writeTimes(numbers, { birth = 0, created = 0, revalidate = Infinity, expire = Infinity }) {
  numbers[BIRTH] = birth;
  numbers[CREATED] = created;
  numbers[REVALIDATE] = revalidate;
  numbers[EXPIRE] = expire;
}

function readFound({ numbers, whyTag }, parts) {
  const why = numbers[WHY_SLOT];
  return {
    result: numbers[RESULT],
    why: WHY[why] ?? 'error',
    whyTag: why === WHY_TAG ? whyTag() : '',
    inMemory: numbers[IN_MEMORY] === 1,
    deadAt: numbers[DEAD_AT],
    birth: numbers[BIRTH],
    created: numbers[CREATED],
    revalidate: numbers[REVALIDATE],
    expire: numbers[EXPIRE],
    id: numbers[ID],
    stamp: parts === true && why === WHY_FRESH && numbers[STAMP + STAMP_PLACE] !== 0 ? stampOf(numbers) : undefined,
    parts: Array.isArray(parts) ? placed(parts) : parts,
  };
}

/** Puts views into the place of byte parts that share a Buffer, which is the last of the array. */
function placed(parts) {
  for (let i = 0; i < parts.length; i++) {
    if (typeof parts[i] !== 'number') continue;
    const start = Math.floor(parts[i] / STRETCH_MAX);
    parts[i] = parts[parts.length - 1].subarray(start, start + parts[i] - start * STRETCH_MAX);
  }
  return parts;
}

/** What a fresh hit in memory rests on; of use only where its value is known. */
function stampOf(numbers) {
  const stamp = [];
  for (let i = STAMP; i < STAMP + STAMP_LENGTH; i++) stamp.push(numbers[i]);
  return stamp;
}

/** What a call of the addon gives: its result now, or as a promise. */
function settled(call) {
  let resolve;
  const result = call((late) => resolve(late));
  if (result !== undefined) return result;
  return new Promise((settle) => {
    resolve = settle;
  });
}

/**
 * The engine of this environment. A bundled copy never makes it, because it
 * could not open it: it finds that of the handlers, or one that is not shared.
 */
const theEngine = () => (bundled ? (sharedIfAny('engine') ?? new Engine()) : shared('engine', createEngine));

function createEngine() {
  const engine = new Engine();
  for (const tell of sharedIfAny('engine.awaited') ?? []) tell(engine);
  return engine;
}

/** The same as a promise; a bundled copy waits until the handlers have made it. */
const whenEngine = () =>
  bundled && !sharedIfAny('engine')
    ? new Promise((tell) => shared('engine.awaited', () => []).push(tell))
    : Promise.resolve(theEngine());

/** The cache of optimised images: part of the other, opened when an image is asked for. */
class ImageEngine extends Engine {
  get config() {
    return imagesConfig(theEngine().config);
  }
}

const theImages = () =>
  bundled ? (sharedIfAny('engine.images') ?? new ImageEngine()) : shared('engine.images', () => new ImageEngine());

/** All caches of this environment that have been asked for. */
const theEngines = () => [theEngine(), sharedIfAny('engine.images')].filter(Boolean);

module.exports = { MISS, OK, STALE, theEngine, theEngines, theImages, whenEngine };
