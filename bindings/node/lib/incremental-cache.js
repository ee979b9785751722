'use strict';
// The handler behind `cacheHandler` in next.config: pages, route handlers,
// fetches and unstable_cache. Next.js makes an instance for every request, two
// or three even, so an instance holds nothing but what belongs to a request.
//
// Who decides what: Next ages entries by lastModified and cacheControl, and
// renders before it answers when one is past its expire; tags are decided by
// the core. "Stale by tag" has no word in this interface, so
// such an entry is handed out with a lifetime that is just over.

const { OK, STALE, theEngine } = require('./engine');
const { PendingBirths } = require('./births');
const { BoundedMap } = require('./bounded-map');
const { birthOfPage } = require('./dead-results');
const { classOfKind } = require('./classes');
const { decode } = require('./codec');
const { debug, warnOnce } = require('./log');
const { endRetention, isRetained, noteReturned, retain, retention } = require('./retention');
const { createNextCache } = require('./next');
const { headerTags, normalizeTags } = require('./tags');
const { isBuilding } = require('./config');
const { nextNow, toNext, wallNow } = require('./clock');
const { noteBuild, pageNamespace } = require('./namespace');
const { readBuildOutput, seedTag } = require('./build-output');
const { resumeTags, withoutResumeData } = require('./resume-data');
const { lastModifiedOfFresh, revalidateTags } = require('./revalidation');
const { shared } = require('./shared');

// A lifetime that is over: one second, counted from a little more ago. The
// response that carries it says s-maxage=1.
const OVER_SECONDS = 1;
const OVER_AGE_MS = 1500;
const RETRY_SECONDS = 30;
const SEEDS_MAX = 100000;
const IMPLICIT_MAX = 256;
const PATH_TAG = '_N_T_';

// Next 14 says less precisely what it asks for.
const KIND_OF_HINT = { fetch: 'FETCH', app: 'APP_PAGE', pages: 'PAGES' };

const kindAsked = (context) => context.kind ?? KIND_OF_HINT[context.kindHint];

/** Whether a stored value answers a question for `kind`. */
function answers(kind, value) {
  if (value === null) return kind === 'PAGES';
  if (typeof value !== 'object') return false;
  if (kind === 'PAGES') return value.kind === 'PAGES' || value.kind === 'REDIRECT';
  return value.kind === kind;
}

/** The key in the core; undefined while the build of a page is unknown. */
function storageKey(key, kind, serverDistDir) {
  if (kind === 'FETCH') return `f:${key}`;
  if (kind === 'IMAGE') return `i:${key}`;
  const namespace = pageNamespace(serverDistDir);
  return namespace && `p:${namespace}:${key}`;
}


/** Keys of this process whose build output was found and not superseded yet. */
const liveSeeds = () => shared('seeds', () => new BoundedMap(SEEDS_MAX));

/** Fetches without cache options, shared between the pages of one build worker. */
const implicitFetches = () => shared('implicit', () => new BoundedMap(IMPLICIT_MAX));

/** Whether Next withholds rscData of a page from this way of asking. */
const withoutRsc = (context, value) =>
  Boolean(context.isFallback || (context.isRoutePPREnabled && value.postponed != null));

/** A lifetime that Next accepts; anything else makes it answer 500. */
function usableCacheControl(cacheControl) {
  const revalidate = cacheControl?.revalidate;
  const usable = revalidate === false || (typeof revalidate === 'number' && revalidate >= 1);
  return usable ? cacheControl : undefined;
}

const secondsToMs = (seconds) => (typeof seconds === 'number' && seconds >= 0 ? seconds * 1000 : Infinity);

/**
 * Judges a page of the build. When the marks of its time have been lost with a
 * removed directory, nothing from then is believed, with one exception: a
 * fallback shell that carries path tags only. It shows no data, and a route
 * whose shell cannot be made at run time would never work again.
 */
function judgeSeed(seed, tags, softTags) {
  const found = theEngine().judge(tags, softTags, { created: seed.bornMs });
  const harmless = seed.isShell && tags.every((tag) => tag.startsWith(PATH_TAG));
  return found.why === 'floor' && harmless ? { ...found, result: OK, why: 'fresh' } : found;
}

/** Tags of results inside a page that are not tags of the page. */
function extraTags(value, tags) {
  if (typeof value?.postponed !== 'string') return undefined;
  const extra = resumeTags(value.postponed)?.filter((tag) => !tags.includes(tag));
  return extra?.length > 0 ? extra : undefined;
}

/** A stored page, without the results inside it where one of them is dead. */
function judgeResumeData({ value, resumeTags: inside }, { birth, created }) {
  if (!inside || theEngine().judge(inside, undefined, { birth, created }).result === OK) return value;
  return { ...value, postponed: withoutResumeData(value.postponed) };
}

class CacheHandler {
  /** For a project's own handler file: this class, with options in code. */
  static with(options) {
    theEngine().configure(options);
    return this;
  }

  constructor(options) {
    const context = options ?? {};
    const engine = theEngine();
    engine.setNextMemory(context.maxMemoryCacheSize);
    // A constructor that returns an object stands back for it.
    if (!engine.available) return createNextCache(context);
    this.serverDistDir = typeof context.serverDistDir === 'string' ? context.serverDistDir : undefined;
    this.revalidatedTags = Array.isArray(context.revalidatedTags) ? context.revalidatedTags : [];
    this.birth = engine.birth();
    this.began = nextNow();
    this.pending = new PendingBirths();
    noteBuild(this.serverDistDir);
  }

  async get(key, context = {}) {
    try {
      const kind = kindAsked(context);
      return await (kind === 'FETCH' ? this.#getFetch(key, context) : this.#getResponse(key, kind, context));
    } catch (error) {
      warnOnce('get', `a get failed and was answered as a miss: ${error.stack}`);
      return null;
    }
  }

  async set(key, value, context = {}) {
    try {
      await (context.fetchCache || value?.kind === 'FETCH'
        ? this.#setFetch(key, value, context)
        : this.#setResponse(key, value, context));
    } catch (error) {
      warnOnce(`set: ${error.message}`, `a set failed, the entry is not cached: ${error.message}`);
    }
  }

  async revalidateTag(tags, durations) {
    try {
      await revalidateTags(tags, durations, this);
    } catch (error) {
      warnOnce('revalidateTag', `revalidateTag failed: ${error.stack}`);
    }
  }

  resetRequestCache() {}

  // ---- fetches and unstable_cache ---------------------------------------------------

  async #getFetch(key, context) {
    const engine = theEngine();
    const birth = engine.birth();
    const softTags = normalizeTags([...(context.tags ?? []), ...(context.softTags ?? [])]);
    if (this.revalidatedTags.length > 0 && softTags.some((tag) => this.revalidatedTags.includes(tag))) {
      return this.#miss(key, key, 'FETCH', birth, 'revalidated by this request');
    }
    const storage = storageKey(key, 'FETCH');
    const pending = engine.get(storage, classOfKind('FETCH'), softTags);
    const found = pending instanceof Promise ? await pending : pending;
    if (!found.parts) {
      const implicit = isBuilding() ? implicitFetches().get(key) : undefined;
      return implicit ?? this.#miss(key, key, 'FETCH', birth, found.why, found.whyTag);
    }
    const { value } = decode(found.parts);
    if (!answers('FETCH', value)) return this.#miss(key, key, 'FETCH', birth, 'another kind');

    const revalidateMs = secondsToMs(context.revalidate || value.revalidate);
    const created = toNext(found.created);
    const lastModified =
      found.result === STALE
        ? Math.min(created, nextNow() - revalidateMs - OVER_AGE_MS)
        : lastModifiedOfFresh(created, softTags);
    const stale = nextNow() - lastModified > revalidateMs;
    if (stale) this.pending.begin(key, birth);
    debug?.('get', key, 'FETCH', stale ? 'stale' : 'hit', found.inMemory ? 'memory' : 'disk', found.whyTag);
    return { value, lastModified };
  }

  async #setFetch(key, value, context) {
    if (!context.fetchCache || value?.kind !== 'FETCH') {
      return warnOnce('set kind', `a set of a ${value?.kind} under a key of another kind was refused`);
    }
    if (context.isImplicitBuildTimeCache) {
      // Nothing asks for these after the build.
      implicitFetches().set(key, { value, lastModified: nextNow() });
      return undefined;
    }
    const { birth } = this.pending.finish(key) ?? this;
    const times = { birth, created: wallNow() };
    const tags = normalizeTags(context.tags);
    const result = await theEngine().put(storageKey(key, 'FETCH'), classOfKind('FETCH'), tags, times, { value });
    debug?.('set', key, 'FETCH', tags, result);
    return undefined;
  }

  // ---- pages, route handlers and images ---------------------------------------------

  async #getResponse(key, kind, context) {
    const engine = theEngine();
    const birth = engine.birth();
    const storage = storageKey(key, kind, this.serverDistDir);
    if (!storage) return this.#miss(key, key, kind, birth, 'the build is under way');
    const pending = engine.get(storage, classOfKind(kind));
    const found = pending instanceof Promise ? await pending : pending;
    if (!found.parts) {
      const seed = await this.#getSeed(key, storage, kind, context, birth);
      return seed ?? this.#miss(key, storage, kind, birth, found.why, found.whyTag);
    }
    const stored = decode(found.parts);
    if (!answers(kind, stored.value)) return this.#miss(key, storage, kind, birth, 'another kind');
    if (stored.seed) liveSeeds().set(storage, true);
    const value = this.#shape(judgeResumeData(stored, found), context, stored.seed);
    if (value === undefined) return this.#miss(key, storage, kind, birth, 'rendered as a fallback');

    const entry = this.#respond(storage, found, value, stored.cacheControl);
    // A build output's lifetime stands in Next's manifest, so it may be over.
    if (found.result === STALE || stored.seed) this.pending.begin(key, birth);
    noteReturned(storage, value);
    const how = found.result === STALE ? `stale by ${found.why} ${found.whyTag}` : 'hit';
    debug?.('get', key, kind, how, found.inMemory ? 'memory' : 'disk');
    return entry;
  }

  /** A stored value as this way of asking may see it; undefined for a miss. */
  #shape(value, context, isSeed) {
    if (value?.kind !== 'APP_PAGE') return value;
    if (withoutRsc(context, value)) return value.rscData === undefined ? value : { ...value, rscData: undefined };
    return isSeed && value.rscData === undefined ? undefined : value;
  }

  /** What Next is handed for a hit: fresh, stale by age, stale by tag, or retained. */
  #respond(storage, found, value, stored) {
    const lastModified = toNext(found.created);
    const cacheControl = usableCacheControl(stored);
    const retained = retention(storage);
    if (retained && found.created <= retained.since) {
      const deadAt = Math.min(found.deadAt, found.created + secondsToMs(cacheControl?.expire));
      const deadIn = Math.ceil((deadAt - retained.since) / 1000);
      return {
        value,
        lastModified: toNext(retained.since),
        cacheControl: { revalidate: retained.seconds, expire: Number.isFinite(deadIn) ? deadIn : undefined },
      };
    }
    if (found.result !== STALE) {
      return { value, lastModified: lastModifiedOfFresh(lastModified, headerTags(value)), cacheControl };
    }
    if (found.why === 'age') return { value, lastModified, cacheControl };
    return {
      value,
      lastModified: Math.min(lastModified, nextNow() - OVER_AGE_MS),
      cacheControl: { revalidate: OVER_SECONDS, expire: cacheControl?.expire },
    };
  }

  /** The build's own version of a page, judged, and stored if it is valid. */
  async #getSeed(key, storage, kind, context, birth) {
    const seed = await readBuildOutput(this.serverDistDir, key, context);
    if (!seed) return undefined;
    const tags = headerTags(seed.value);
    const found = judgeSeed(seed, tags, [seedTag(storage, this.serverDistDir)]);
    if (found.result !== OK && found.result !== STALE) {
      debug?.('get', key, kind, 'build output is dead:', found.why, found.whyTag);
      return undefined;
    }
    liveSeeds().set(storage, true);
    const stored = { value: seed.value, seed: true, resumeTags: extraTags(seed.value, tags) };
    stored.value = judgeResumeData(stored, { created: seed.bornMs });
    const value = this.#shape(stored.value, context, true);
    if (value === undefined) return undefined;
    // Judged by all marks until now, it is as good as born at this look-up.
    if (found.result === OK && !(kind === 'PAGES' && context.isFallback)) {
      const times = { birth, created: seed.modifiedMs };
      const put = theEngine().put(storage, classOfKind(kind), [...tags, seedTag(storage, this.serverDistDir)], times, stored);
      if (put instanceof Promise) put.catch(() => {});
    }
    this.pending.begin(key, birth);
    noteReturned(storage, value);
    debug?.('get', key, kind, found.result === OK ? 'hit' : `stale by ${found.why} ${found.whyTag}`, 'build output');
    return this.#respond(storage, { ...found, created: seed.modifiedMs, deadAt: Infinity }, value, undefined);
  }

  async #setResponse(key, value, context) {
    const kind = value?.kind ?? kindAsked(context);
    const storage = storageKey(key, kind, this.serverDistDir);
    const pending = this.pending.finish(key);
    if (!storage || isBuilding()) return; // prerendered pages are files, not sets
    const control = context.cacheControl ?? { revalidate: context.revalidate };
    if (isRetained(storage, value)) {
      retain(storage, typeof control.revalidate === 'number' ? control.revalidate : RETRY_SECONDS);
      debug?.('set', key, kind, 'retained after a failed render');
      return;
    }
    endRetention(storage);
    const { birth, began } = pending ?? this;
    const tags = headerTags(value);
    const times = {
      birth: birthOfPage({ key: storage, tags, birth, began, ended: nextNow() }),
      created: wallNow(),
      revalidate: secondsToMs(control.revalidate === false ? undefined : control.revalidate),
    };
    const stored = { value, cacheControl: context.cacheControl, resumeTags: extraTags(value, tags) };
    const result = await theEngine().put(storage, classOfKind(kind), tags, times, stored);
    debug?.('set', key, kind, tags, result);
    if (liveSeeds().delete(storage)) await theEngine().mark([seedTag(storage, this.serverDistDir)], 0);
  }

  // ---- both ---------------------------------------------------------------------------

  /** Notes that a render will follow, and why. */
  #miss(key, storage, kind, birth, why, whyTag = '') {
    this.pending.begin(key, birth);
    debug?.('get', key, kind, 'miss:', why, whyTag);
    return null;
  }
}

module.exports = CacheHandler;
