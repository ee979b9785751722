'use strict';
// The handler behind `cacheHandler` in next.config: pages, route handlers,
// fetches and unstable_cache. Next.js makes an instance for every request, two
// or three even, so an instance holds nothing but what belongs to a request.
//
// Who decides what: Next ages entries by lastModified and cacheControl, and
// renders before it answers when one is past its expire; tags are decided by
// the core, and staleness.js says to Next what it found.

const { OK, STALE, theEngine } = require('./engine');
const { answerAgain, keepAnswer } = require('./answers');
const { PendingBirths } = require('./births');
const { BoundedMap } = require('./bounded-map');
const { birthOfMade } = require('./dead-results');
const { CLASSES, classOfKind } = require('./classes');
const { debug, reasonOf, warn, warnOnce } = require('./log');
const { endRetention, isRetained, noteReturned, retain, retention } = require('./retention');
const { answers, belongs, kindAsked } = require('./kinds');
const { createNextCache } = require('./next');
const { PATH_TAG, headerTags, normalizeTags } = require('./tags');
const { OVER_AGE_MS, freshness, noteLifetime, secondsToMs } = require('./staleness');
const { nextNow, toNext, wallNow } = require('./clock');
const { noteBuild, pageNamespace } = require('./namespace');
const { Ingredients } = require('./ingredients');
const { isOfAnotherBuild, noteBuildName } = require('./other-builds');
const { pageTags } = require('./page-tags');
const { getImage, setImage } = require('./image-cache');
const { mayStore, withoutDroppedHeaders } = require('./exclusions');
const { judgeBuilt, judgeSeed, liveSeeds, noteServed, readSeed, servedSince } = require('./seeds');
const { readNotFound, seedTag } = require('./build-output');
const { resumeTags, withoutResumeData } = require('./resume-data');
const { lastModifiedOfFresh, revalidateTags } = require('./revalidation');
const { shared } = require('./shared');

const OLDEST_BIRTH = 1;
const RETRY_SECONDS = 30;
const IMPLICIT_MAX = 256;

const fetchKey = (key) => `f:${key}`;
const pageKey = (namespace, key) => namespace && `p:${namespace}:${key}`;

/** Fetches without cache options, shared between the pages of one build worker. */
const implicitFetches = () => shared('implicit', () => new BoundedMap(IMPLICIT_MAX));

const isOfRouteHandler = (tag) => tag.startsWith(PATH_TAG) && tag.endsWith('/route');

/** Whether a fetch entry is the result of a function, which other fetches may be inside of. */
const isUnstableCache = ({ fetchUrl }) => typeof fetchUrl === 'string' && fetchUrl.startsWith('unstable_cache ');

/** Whether Next withholds rscData of a page from this way of asking. */
const withoutRsc = (context, value) =>
  Boolean(context.isFallback || (context.isRoutePPREnabled && value.postponed != null));

/** What `work` makes of a value, at once where that is no promise: to wait for nothing is a turn, too. */
const afterwards = (value, work) => (value instanceof Promise ? value.then(work) : work(value));

const hitInWords = (found) => (found.result === STALE ? reasonOf(found, 'stale') : 'hit');

async function reasonOfMiss(namespace, key, found) {
  const foreign = found.why === 'absent' && (await isOfAnotherBuild(namespace, (other) => pageKey(other, key)));
  return foreign ? 'of another build' : reasonOf(found, 'dead');
}

/** Tags of results inside a page that are not tags of the page. */
function extraTags(value, tags) {
  if (typeof value?.postponed !== 'string') return undefined;
  const extra = resumeTags(value.postponed)?.filter((tag) => !tags.includes(tag));
  return extra?.length > 0 ? extra : undefined;
}

/** A stored page, without the results inside it where one of them is dead. */
function judgeResumeData({ value, resumeTags: inside }, judge) {
  if (!inside || judge(inside).result === OK) return value;
  return { ...value, postponed: withoutResumeData(value.postponed) };
}

class CacheHandler {
  #engine = theEngine();

  /** For a project's own handler file: this class, with options in code. */
  static with(options) {
    theEngine().configure(options);
    return this;
  }

  constructor(options) {
    const context = options ?? {};
    const engine = this.#engine;
    engine.setNextMemory(context.maxMemoryCacheSize);
    // A constructor that returns an object stands back for it.
    if (!engine.available) return createNextCache(context);
    this.serverDistDir = typeof context.serverDistDir === 'string' ? context.serverDistDir : undefined;
    this.revalidatedTags = Array.isArray(context.revalidatedTags) ? context.revalidatedTags : [];
    this.birth = OLDEST_BIRTH;
    this.readSince = OLDEST_BIRTH; // what this request was given since then was valid then, or is in `stale`
    this.began = nextNow();
    this.pending = new PendingBirths();
    this.stale = new Ingredients();
    try {
      this.readSince = this.birth = engine.birth();
      noteBuild(this.serverDistDir);
      noteServed(pageNamespace(this.serverDistDir));
    } catch (error) {
      warn('constructor', `the cache could not be asked: ${error.stack}`);
    }
  }

  async get(key, context = {}) {
    try {
      const again = this.revalidatedTags.length === 0 ? answerAgain(this.#engine, key, context, this.serverDistDir) : undefined;
      if (again !== undefined) return again;
      const answer = this.#look(key, kindAsked(context), context);
      return answer instanceof Promise ? await answer : answer;
    } catch (error) {
      warn('get', `a get failed and was answered as a miss: ${error.stack}`);
      return null;
    }
  }

  async set(key, value, context = {}) {
    try {
      if (!belongs(key, value, context)) {
        const what = value === null ? 'null' : (value?.kind ?? typeof value);
        return warnOnce(`set ${what}`, `a set of ${what} under a key of another kind was refused: ${key}`);
      }
      const storing = this.#store(key, value, context);
      if (storing instanceof Promise) await storing;
    } catch (error) {
      warn(`set: ${error.message}`, `a set failed, the entry is not cached: ${error.message}`);
    }
  }

  async revalidateTag(tags, durations) {
    try {
      await revalidateTags(tags, durations, this);
      // Next forgets what the request has read of a tag that it marks itself.
      if (tags?.length > 0) this.readSince = this.#engine.birth();
    } catch (error) {
      warn('revalidateTag', `revalidateTag failed: ${error.stack}`);
    }
  }

  resetRequestCache() {}

  /** The answer, or a promise of it where it has to be waited for. */
  #look(key, kind, context) {
    if (kind === 'FETCH') return this.#getFetch(key, context);
    return kind === 'IMAGE' ? getImage(key) : this.#getResponse(key, kind, context);
  }

  /** A promise where there is something to wait for. */
  #store(key, value, context) {
    if (context.fetchCache) return this.#setFetch(key, value, context);
    return value?.kind === 'IMAGE' ? setImage(key, value, context) : this.#setResponse(key, value, context);
  }

  // ---- fetches and unstable_cache ---------------------------------------------------

  #getFetch(key, context) {
    const engine = this.#engine;
    const softTags = normalizeTags([...(context.tags ?? []), ...(context.softTags ?? [])]);
    const birth = this.#birthOfFetch(engine.birth(), softTags);
    if (!mayStore(context.fetchUrl)) return this.#miss(key, 'FETCH', birth, 'never stored');
    if (this.revalidatedTags.length > 0 && softTags.some((tag) => this.revalidatedTags.includes(tag))) {
      return this.#miss(key, 'FETCH', birth, 'revalidated by this request');
    }
    const found = engine.getStored(fetchKey(key), CLASSES.fetches, softTags);
    if (found instanceof Promise) return found.then((late) => this.#foundFetch(key, context, softTags, birth, late));
    return this.#foundFetch(key, context, softTags, birth, found);
  }

  #foundFetch(key, context, softTags, birth, found) {
    if (!found.stored) {
      const implicit = this.#engine.config.building ? implicitFetches().get(key) : undefined;
      return implicit ?? this.#miss(key, 'FETCH', birth, reasonOf(found, 'dead'));
    }
    const { value } = found.stored;
    if (!answers('FETCH', value)) return this.#miss(key, 'FETCH', birth, 'another kind');

    const revalidateMs = secondsToMs(context.revalidate || value.revalidate);
    const created = toNext(found.created);
    const now = nextNow();
    const lastModified =
      found.result === STALE ? Math.min(created, now - revalidateMs - OVER_AGE_MS) : lastModifiedOfFresh(created, () => softTags);
    const freshMs = lastModified + revalidateMs - now;
    if (freshMs < 0) this.pending.begin(key, birth);
    if (found.result === STALE) this.stale.note(key, softTags, found.birth);
    debug?.('get', key, 'FETCH', freshMs < 0 && found.result === OK ? 'stale: expired' : hitInWords(found), found.inMemory ? 'memory' : 'disk');
    const asked = { key, context, directory: this.serverDistDir, classId: CLASSES.fetches };
    return this.#answer(asked, found, { value, lastModified }, freshMs);
  }

  #setFetch(key, value, context) {
    if (!mayStore(context.fetchUrl)) {
      this.pending.finish(key);
      debug?.('set', key, 'FETCH', 'never stored');
      return this.#engine.remove(fetchKey(key)); // one from before the setting
    }
    if (context.isImplicitBuildTimeCache) {
      // Nothing asks for these after the build.
      implicitFetches().set(key, { value, lastModified: nextNow() });
      return undefined;
    }
    const tags = normalizeTags(context.tags);
    const { birth } = this.pending.finish(key) ?? this;
    const times = { birth: isUnstableCache(context) ? this.#birthOfResult(key, birth, tags) : birth, created: wallNow() };
    const putting = this.#engine.put(fetchKey(key), classOfKind('FETCH'), tags, times, { value: withoutDroppedHeaders(value) });
    return afterwards(putting, (result) => debug?.('set', key, 'FETCH', tags, result));
  }

  /**
   * The birth of a fetch that is looked up at the epoch `now`. While React renders a page, it answers
   * a second fetch from the first, also when the look-up between the two misses. A route handler is
   * not rendered and may go on for hours; a build worker has one instance for all of its pages.
   */
  #birthOfFetch(now, softTags) {
    if (now <= this.readSince) return now; // nothing was marked since
    return this.#engine.config.building || softTags.some(isOfRouteHandler) ? now : this.readSince;
  }

  /** The same of what a function returned, which may hold fetches that were stale. */
  #birthOfResult(key, birth, tags) {
    return this.stale.birthOf(key, birth, (inside) => inside.some((tag) => tags.includes(tag)));
  }

  // ---- pages, route handlers and images ---------------------------------------------

  #getResponse(key, kind, context) {
    const engine = this.#engine;
    const birth = engine.birth();
    const namespace = pageNamespace(this.serverDistDir);
    const storage = pageKey(namespace, key);
    if (!storage) return this.#miss(key, kind, birth, 'the build is under way');
    const asked = { key, storage, namespace, kind, context, birth };
    const found = engine.getStored(storage, classOfKind(kind));
    return found instanceof Promise ? found.then((late) => this.#foundResponse(asked, late)) : this.#foundResponse(asked, found);
  }

  /** What is handed out where nothing is stored. */
  async #getUnstored({ key, storage, namespace, kind, context, birth }, found) {
    const since = await servedSince(namespace);
    const seed = await this.#getSeed(key, storage, kind, context, { birth, since });
    const answer = seed.answer ?? this.#getNotFound(key, storage, kind, { birth, since }, found);
    if (answer) return answer;
    const ofSeed = found.why === 'absent' ? seed.why : undefined;
    return this.#miss(key, kind, birth, ofSeed ?? (debug && (await reasonOfMiss(namespace, key, found))));
  }

  #foundResponse(asked, found) {
    if (!found.stored) return this.#getUnstored(asked, found);
    const engine = this.#engine;
    const { key, storage, kind, context, birth } = asked;
    const { stored } = found;
    if (!answers(kind, stored.value)) return this.#miss(key, kind, birth, 'another kind');
    if (stored.seed) liveSeeds().set(storage, true);
    const alive = judgeResumeData(stored, (tags) => engine.judge(tags, undefined, { birth: found.birth, created: found.created }));
    const value = this.#shape(alive, context, stored.seed);
    if (value === undefined) return this.#miss(key, kind, birth, 'rendered as a fallback');

    // A build output's lifetime stands in Next's manifest, so it may be over.
    if (found.result === STALE || stored.seed) this.pending.begin(key, birth);
    noteReturned(storage, value);
    debug?.('get', key, kind, hitInWords(found), found.inMemory ? 'memory' : 'disk');
    const answer = this.#hit({ key, storage, context }, found, value, stored.cacheControl);
    if (stored.seed || value !== stored.value || retention(storage)) return answer;
    return this.#answer({ key, context, directory: this.serverDistDir, classId: classOfKind(kind) }, found, answer);
  }

  /** A stored value as this way of asking may see it; undefined for a miss. */
  #shape(value, context, isSeed) {
    if (value?.kind !== 'APP_PAGE') return value;
    if (withoutRsc(context, value)) return value.rscData === undefined ? value : { ...value, rscData: undefined };
    return isSeed && value.rscData === undefined ? undefined : value;
  }

  #hit({ key, storage, context }, found, value, stored) {
    const asked = { key, storage, context, serverDistDir: this.serverDistDir };
    const { lastModified, cacheControl } = freshness(asked, found, value, stored);
    return { value, lastModified, cacheControl };
  }

  /** The build's own version of a page, judged, and stored if it is valid: {answer}, or {why} there is none. */
  async #getSeed(key, storage, kind, context, { birth, since }) {
    const reading = readSeed(this.serverDistDir, storage, key, context);
    const seed = await reading.result;
    if (!seed) return {};
    // A shell shows nothing of the page that it stands for.
    const tags = seed.isShell ? headerTags(seed.value) : pageTags(key, seed.value, this.serverDistDir);
    const found = judgeSeed(seed, tags, [seedTag(storage, this.serverDistDir)], since);
    if (found.result !== OK && found.result !== STALE) return { why: debug && `build output ${reasonOf(found, 'dead')}` };
    liveSeeds().set(storage, true);
    const stored = { value: withoutDroppedHeaders(seed.value), seed: true, resumeTags: extraTags(seed.value, tags) };
    stored.value = judgeResumeData(stored, (inside) => judgeBuilt(inside, undefined, { bornMs: seed.bornMs, since }));
    const value = this.#shape(stored.value, context, true);
    if (value === undefined) return {};
    // Judged by all marks until now, it is as good as born at this look-up.
    if (!reading.joined && found.result === OK && !(kind === 'PAGES' && context.isFallback)) {
      const times = { birth, created: seed.modifiedMs };
      const put = this.#engine.put(storage, classOfKind(seed.value.kind), [...tags, seedTag(storage, this.serverDistDir)], times, stored, { here: true });
      if (put instanceof Promise) put.catch(() => {});
    }
    this.pending.begin(key, birth);
    noteReturned(storage, value);
    debug?.('get', key, kind, hitInWords(found), 'build output');
    return { answer: this.#hit({ key, storage, context }, { ...found, created: seed.modifiedMs, deadAt: Infinity }, value) };
  }

  /**
   * A page that the build found to be missing. On a miss Next answers 404 for
   * it and does not look whether there is content now; so when what was known
   * of it is dead, it is handed out as over, which makes Next render it.
   */
  #getNotFound(key, storage, kind, { birth, since }, found) {
    if (!answers(kind, null)) return undefined;
    const known = readNotFound(this.serverDistDir, key);
    if (!known) return undefined;
    if (found.why === 'absent') {
      liveSeeds().set(storage, true); // whatever is set next supersedes it
      const tags = pageTags(key, null, this.serverDistDir);
      const { result } = judgeBuilt(tags, [seedTag(storage, this.serverDistDir)], { bornMs: known.bornMs, since });
      if (result === OK) return undefined;
    }
    this.pending.begin(key, birth);
    debug?.('get', key, kind, 'not found in the build, to be rendered:', reasonOf(found, 'dead'));
    return { value: null, lastModified: -1 };
  }

  #setResponse(key, value, context) {
    const kind = value?.kind ?? kindAsked(context) ?? 'PAGES'; // null, of Next 14
    const namespace = pageNamespace(this.serverDistDir);
    const storage = pageKey(namespace, key);
    const pending = this.pending.finish(key);
    if (!storage || this.#engine.config.building) return undefined; // prerendered pages are files, not sets
    const control = context.cacheControl ?? { revalidate: context.revalidate };
    noteLifetime(key, context.cacheControl);
    if (isRetained(storage, value)) {
      retain(storage, typeof control.revalidate === 'number' ? control.revalidate : RETRY_SECONDS);
      debug?.('set', key, kind, 'retained after a failed render');
      return undefined;
    }
    endRetention(storage);
    const { birth, began } = pending ?? this;
    const tags = pageTags(key, value, this.serverDistDir);
    const times = {
      birth: birthOfMade({ key: storage, tags, birth, began, ended: nextNow() }),
      created: wallNow(),
      revalidate: secondsToMs(control.revalidate === false ? undefined : control.revalidate),
    };
    const stored = { value: withoutDroppedHeaders(value), cacheControl: context.cacheControl };
    const inside = extraTags(value, tags);
    if (inside) stored.resumeTags = inside;
    return afterwards(this.#engine.put(storage, classOfKind(kind), tags, times, stored), (result) => {
      debug?.('set', key, kind, tags, result);
      return afterwards(noteBuildName(namespace), () => this.#endSeed(storage));
    });
  }

  /** What the build wrote is superseded. */
  #endSeed(storage) {
    if (!liveSeeds().delete(storage)) return undefined;
    return this.#engine.mark([seedTag(storage, this.serverDistDir)], 0, { here: true });
  }

  // ---- both ---------------------------------------------------------------------------

  /** Hands out an answer that may be given again, for so many milliseconds at most. */
  #answer(asked, found, answer, freshMs) {
    keepAnswer(asked, found, answer, freshMs);
    return answer;
  }

  /** Notes that a render will follow, and why. */
  #miss(key, kind, birth, why) {
    this.pending.begin(key, birth);
    debug?.('get', key, kind, 'miss:', why);
    return null;
  }
}

module.exports = CacheHandler;
