'use strict';
// The handler behind `cacheHandlers` in next.config: the results of functions
// marked 'use cache'. One object serves the interfaces of Next 15 (spread
// arguments, expireTags) and 16 (arrays, updateTags), and every kind that it
// is registered for: keys of different kinds name different functions.
//
// Next enforces an entry's revalidate and expire itself; its tags, and the
// tags of the page that asks, are decided by the core at every get.

const { OK, STALE, theEngine } = require('./engine');
const { addDeadResult, birthOfMade } = require('./dead-results');
const { BirthLog } = require('./births');
const { answerAgain, keepAnswer } = require('./answers');
const { buildName } = require('./namespace');
const { CLASSES } = require('./classes');
const { debug, reasonOf, warn } = require('./log');
const { ingredientsOfRequest } = require('./ingredients');
const { nextNow, toNext, toWall, wallNow } = require('./clock');
const { nextUseCacheHandler } = require('./next');
const { isOfAnotherBuild, noteBuildName } = require('./other-builds');
const { normalizeTags } = require('./tags');
const { revalidateTags } = require('./revalidation');
const { shared } = require('./shared');
const { isTaken, streamOf } = require('./result-stream');

const STALE_BY_TAG = -1;
const OLDEST_BIRTH = 1;

/**
 * Results are of one build: what they contain may name its chunks. Next's key
 * has the BUILD_ID, but not every BUILD_ID is of one build only.
 */
const storageKey = (key, build = buildName()) => `u:${build}:${key}`;

const birthLog = () => shared('births', () => new BirthLog());
const pendingSets = shared('use-cache.sets', () => new Map());

/** Notes the epoch of this moment, and gives it back; what starts now is born with it. */
function observe() {
  try {
    const birth = theEngine().birth();
    birthLog().add(birth);
    return birth;
  } catch (error) {
    warn('use-cache birth', `the epoch could not be read: ${error.stack}`);
    return OLDEST_BIRTH;
  }
}

/** The bytes of a stream that ends; a stream that fails throws. */
async function drain(stream) {
  const chunks = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks.length === 1 ? Buffer.from(chunks[0]) : Buffer.concat(chunks);
    chunks.push(value);
  }
}

async function tellMiss(key, found) {
  const foreign = found.why === 'absent' && (await isOfAnotherBuild(buildName(), (other) => storageKey(key, other)));
  debug('use-cache get', key, 'miss:', foreign ? 'of another build' : reasonOf(found, 'dead'));
}

/**
 * An entry as Next is given it, and noted as given to the request; what it holds is as old as `birth` at least.
 * A miss, so that it is made anew, if a reader has taken the bytes of all away.
 */
function handOut(key, stored, birth, isStaleByTag = false) {
  if (isTaken(stored)) return undefined;
  const { entry } = stored;
  ingredientsOfRequest()?.note(key, entry.tags, birth);
  return {
    ...entry,
    timestamp: toNext(entry.timestamp),
    revalidate: isStaleByTag ? STALE_BY_TAG : entry.revalidate,
    value: streamOf(stored),
  };
}

async function getEntry(key, softTags) {
  while (pendingSets.has(key)) await pendingSets.get(key);
  const directory = buildName();
  const again = answerAgain(theEngine(), key, { softTags }, directory);
  if (again) return handOut(key, again.value, again.value.birth); // the epoch is what it was
  const birth = observe();
  const pending = theEngine().getStored(storageKey(key, directory), CLASSES.useCache, normalizeTags(softTags));
  const found = pending instanceof Promise ? await pending : pending;
  if (!found.stored) {
    if (debug) await tellMiss(key, found);
    return undefined;
  }
  found.stored.birth = birth;
  keepAnswer({ key, context: { softTags }, directory, classId: CLASSES.useCache }, found, { value: found.stored });
  debug?.('use-cache get', key, found.result === STALE ? reasonOf(found, 'stale') : 'hit', found.inMemory ? 'memory' : 'disk');
  const isStaleByTag = found.result === STALE && found.why !== 'age';
  return handOut(key, found.stored, isStaleByTag ? found.birth : birth, isStaleByTag);
}

/**
 * The birth of a generation that began at `timestamp`. One that began before
 * this process looked for the first time is judged by wall time: if no mark
 * came since, it is as good as born now.
 */
function birthOf(timestamp, tags) {
  const known = birthLog().at(timestamp);
  if (known !== undefined) return known;
  const now = theEngine().birth();
  return theEngine().judge(tags, undefined, { created: toWall(timestamp) }).result === OK ? now : OLDEST_BIRTH;
}

/** {entry, bytes} of what was generated; undefined when it is not worth storing. */
async function collect(key, pendingEntry) {
  const { value, ...entry } = await pendingEntry;
  if (entry.expire === 0 && !process.env.__NEXT_DEV_SERVER) {
    // Never served again: Next asks for it anew with every read.
    debug?.('use-cache set', key, 'skipped: expires at once');
    await value.cancel?.();
    return undefined;
  }
  return { entry, bytes: await drain(value) };
}

/** The birth of a result whose own generation was born at `own`: what it was made of counts as well. */
function birthOfResult(key, own, tags, timestamp) {
  const ingredients = ingredientsOfRequest();
  const holds = (inside) => normalizeTags(inside).every((tag) => tags.includes(tag));
  const born = ingredients?.birthOf(key, own, holds) ?? own;
  const birth = birthOfMade({ key: storageKey(key), tags, birth: born, began: timestamp, ended: nextNow(), isResult: true });
  ingredients?.note(key, tags, birth);
  return birth;
}

/** Whether a tag was marked since, be it only as stale. */
function isMarkedSince(birth, tags) {
  if (birth >= theEngine().birth()) return false;
  const { why } = theEngine().judge(tags, undefined, { birth, created: wallNow() });
  return why === 'tag' || why === 'floor';
}

async function storeEntry(key, { entry, bytes }) {
  const tags = normalizeTags(entry.tags);
  const own = birthOf(entry.timestamp, tags);
  const times = {
    birth: birthOfResult(key, own, tags, entry.timestamp),
    created: Math.min(Math.floor(toWall(entry.timestamp)), wallNow()),
    revalidate: entry.revalidate >= 0 ? entry.revalidate * 1000 : Infinity,
    expire: entry.expire >= 0 ? entry.expire * 1000 : Infinity,
  };
  const stored = { entry: { ...entry, timestamp: toWall(entry.timestamp) }, bytes };
  const result = await theEngine().put(storageKey(key), CLASSES.useCache, tags, times, stored);
  debug?.('use-cache set', key, tags, result);
  await noteBuildName(buildName());
  // Only what an invalidation overtook itself spoils others: what it spoiled does
  // not, or one would kill the next for as long as there is load.
  if (!isMarkedSince(own, tags)) return;
  const spoiled = addDeadResult({ tags, birth: own, began: entry.timestamp, ended: nextNow() });
  await Promise.all(spoiled.map((made) => theEngine().remove(made)));
}

/** Never throws: a function that threw leaves nothing, a broken cache a line. */
async function setEntry(key, pendingEntry) {
  let collected;
  try {
    collected = await collect(key, pendingEntry);
  } catch (error) {
    debug?.('use-cache set', key, 'dropped:', error?.message);
    return;
  }
  if (!collected) return;
  try {
    await storeEntry(key, collected);
  } catch (error) {
    warn('use-cache set', `a 'use cache' set failed, the entry is not cached: ${error.message}`);
  }
}

const handler = {
  /** For a project's own handler file: this object, with options in code. */
  with(options) {
    theEngine().configure(options);
    return handler;
  },

  async get(key, softTags) {
    if (!theEngine().available) return nextUseCacheHandler().get(key, softTags);
    try {
      return await getEntry(key, softTags);
    } catch (error) {
      warn('use-cache get', `a 'use cache' get failed and was answered as a miss: ${error.stack}`);
      return undefined;
    }
  },

  async set(key, pendingEntry) {
    if (!theEngine().available) return nextUseCacheHandler().set(key, pendingEntry);
    observe();
    // A get that comes meanwhile waits. The value is not part of the promise,
    // and nothing is kept when it is over.
    const over = setEntry(key, pendingEntry);
    pendingSets.set(key, over);
    await over;
    if (pendingSets.get(key) === over) pendingSets.delete(key);
    return undefined;
  },

  async refreshTags() {
    // Marks of other processes are seen at once; there is nothing to fetch.
    if (theEngine().available) observe();
    else await nextUseCacheHandler().refreshTags?.();
  },

  async getExpiration(...tags) {
    // "The tags were checked by get", in the words of the interface.
    if (theEngine().available) return Infinity;
    return nextUseCacheHandler().getExpiration(...tags);
  },

  async updateTags(tags, durations) {
    if (!theEngine().available) return nextUseCacheHandler().updateTags?.(tags, durations);
    try {
      await revalidateTags(tags, durations);
    } catch (error) {
      warn('updateTags', `updateTags failed: ${error.stack}`);
    }
    return undefined;
  },

  async expireTags(...tags) {
    if (!theEngine().available) return nextUseCacheHandler().expireTags?.(...tags);
    return handler.updateTags(tags.flat());
  },
};

module.exports = handler;
