'use strict';
// nextcache for programs: jobs, admin routes, metrics. It works on the same
// cache as the handlers of this process, inside and outside of a request.

const fs = require('node:fs');
const { CLASSES } = require('./lib/classes');
const { imagesConfig } = require('./lib/config');
const { deadAfterMs, pathTag } = require('./lib/tags');
const { tagsToMark } = require('./lib/page-tags');
const { theEngine, theEngines, theImages } = require('./lib/engine');
const { version } = require('./package.json');

const BY_CLASS = ['memory_hits', 'disk_hits', 'stale_hits', 'misses', 'puts'];
const CLASS_NAMES = Object.entries(CLASSES);

const METRICS_WITHOUT_CACHE = `# HELP nextcache_info Who keeps the cache, and its release.
# TYPE nextcache_info gauge
nextcache_info{engine="next",version="${version}"} 1
# HELP nextcache_up Whether the cache could be read.
# TYPE nextcache_up gauge
nextcache_up 0
`;

const camelCase = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

/** Opens the cache if it is not open yet, with these options in code. */
function open(options) {
  if (options) theEngine().configure(options);
  return theEngine().available;
}

/** Options in code, for every later use in this process. */
function configure(options) {
  theEngine().configure(options);
}

/** Counters as the core has them -> as JavaScript names them. */
function named(raw) {
  const out = {};
  for (const [name, value] of Object.entries(raw)) {
    out[camelCase(name)] = BY_CLASS.includes(name)
      ? Object.fromEntries(CLASS_NAMES.map(([label, id]) => [label, value[id]]))
      : value;
  }
  out.disk = raw.disk === 1;
  return out;
}

/** Counters; null where there is no cache. */
function stats() {
  const raw = theEngine().stats();
  if (!raw) return null;
  const out = { ...named(raw), remote: theEngine().remoteStats() };
  const images = theEngines()[1]?.stats();
  // Optimised images have a cache of their own, but are a class like others.
  for (const name of images ? BY_CLASS : []) out[camelCase(name)].images = images[name][CLASSES.images];
  return out;
}

/** The counters as Prometheus text: what `nextcache metrics` prints. */
async function metrics() {
  return (await theEngine().metrics()) ?? METRICS_WITHOUT_CACHE;
}

/** Throws for what is no list: nothing would be invalidated, and nobody told. */
function asList(tags) {
  if (typeof tags === 'string') return [tags];
  if (typeof tags?.[Symbol.iterator] !== 'function') throw new TypeError(`nextcache: a tag or a list of tags is expected, not ${tags}`);
  return [...tags];
}

/** Throws for a result of the core that is an error. */
function checked(what, result) {
  if (result < 0) throw new Error(`nextcache: ${what} failed (${result}); the log has the reason`);
}

/** Invalidates everything that carries one of the tags, in every process. */
async function revalidateTag(tags, durations) {
  checked('revalidateTag', await theEngine().mark(tagsToMark(asList(tags)), deadAfterMs(durations)));
}

/** Invalidates what was rendered or fetched for a path, in every process. */
async function revalidatePath(path, type) {
  await revalidateTag(pathTag(path, type));
}

/** Removes one entry by the key that the core has for it. */
async function remove(key) {
  checked('remove', await theEngine().remove(key));
}

/** Empties the cache for all processes. */
async function clear() {
  if (theEngines().length === 1 && fs.existsSync(imagesConfig(theEngine().config).dir)) theImages();
  // Each, also where other machines could not be told of the first.
  const cleared = await Promise.allSettled(theEngines().map(async (engine) => engine.clear()));
  for (const { reason, value } of cleared) {
    if (reason) throw reason;
    checked('clear', value);
  }
}

/** Closes the cache of this process; the next use opens it again. */
function close() {
  for (const engine of theEngines()) engine.close();
}

module.exports = { clear, close, configure, metrics, open, remove, revalidatePath, revalidateTag, stats };
