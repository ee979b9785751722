'use strict';
// Seeds: what the build wrote, as the first version of a page.
//
// A seed has no birth of its own, so it is judged by wall time: marks since
// the build began invalidate it. A wall clock that was set back meanwhile would
// hide marks, so order counts as well: when the first process served a build
// is kept in the cache, and every mark since then is younger than all its seeds.

const { BoundedMap } = require('./bounded-map');
const { CLASSES } = require('./classes');
const { decode } = require('./codec');
const { OK, theEngine } = require('./engine');
const { readBuildOutput } = require('./build-output');
const { shared } = require('./shared');
const { PATH_TAG } = require('./tags');

const SEEDS_MAX = 100000;

/** Keys of this process whose build output was found and not superseded yet. */
const liveSeeds = () => shared('seeds', () => new BoundedMap(SEEDS_MAX));

// ---- reading -----------------------------------------------------------------------

const reads = () => shared('seeds.reads', () => new Map());

/** Reads a seed, once for all gets that come meanwhile: {result, joined}. */
function readSeed(serverDistDir, storage, key, context) {
  const id = `${Boolean(context.isFallback)}:${Boolean(context.isRoutePPREnabled)}:${storage}`;
  const joined = reads().get(id);
  if (joined) return { result: joined, joined: true };
  const result = readBuildOutput(serverDistDir, key, context).finally(() => reads().delete(id));
  reads().set(id, result);
  return { result, joined: false };
}

// ---- judging -----------------------------------------------------------------------

const served = () => theEngine().remembered('served', () => new Map());

/** To be told as early as possible that this process serves a build. */
function noteServed(namespace) {
  if (namespace && !served().has(namespace)) served().set(namespace, { since: theEngine().birth(), agreed: undefined });
}

/** The first of all processes that served a build counts, while the cache remembers. */
async function agree(namespace, noted) {
  const key = `nextcache:build:${namespace}`;
  const { parts } = await theEngine().get(key, CLASSES.other);
  if (parts) noted.since = Math.min(noted.since, decode(parts).since);
  else await theEngine().put(key, CLASSES.other, [], { birth: theEngine().birth() }, { since: noted.since });
}

/** The epoch since which a build is served. */
async function servedSince(namespace) {
  noteServed(namespace);
  const noted = served().get(namespace);
  await (noted.agreed ??= agree(namespace, noted).catch(() => {
    noted.agreed = undefined; // to be tried again
  }));
  // A directory that was replaced may count from anywhere.
  return Math.min(noted.since, theEngine().birth());
}

const isWorse = (a, b) => b.result < OK || (a.result >= OK && a.result < b.result);

/** Judges what was built at `bornMs` and is served since the epoch `since`. */
function judgeBuilt(tags, softTags, { bornMs, since }) {
  const byWall = theEngine().judge(tags, softTags, { created: bornMs });
  const byOrder = theEngine().judge(tags, softTags, { created: bornMs, birth: since });
  return isWorse(byWall, byOrder) ? byOrder : byWall;
}

/**
 * The same for a page. When the marks of its time have been lost with a
 * removed directory, nothing from then is believed, with one exception: a
 * fallback shell that carries path tags only. It shows no data, and a route
 * whose shell cannot be made at run time would never work again.
 */
function judgeSeed(seed, tags, softTags, since) {
  const found = judgeBuilt(tags, softTags, { bornMs: seed.bornMs, since });
  const harmless = seed.isShell && tags.every((tag) => tag.startsWith(PATH_TAG));
  return found.why === 'floor' && harmless ? { ...found, result: OK, why: 'fresh' } : found;
}

module.exports = { judgeBuilt, judgeSeed, liveSeeds, noteServed, readSeed, servedSince };
