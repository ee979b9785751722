'use strict';
// Standing in for the cache of optimised images. Next's own cache for pages,
// which takes over where ours cannot be opened, refuses images; they go to the
// one that Next would use without any handler: files in <distDir>/cache/images.

const path = require('node:path');
const { warnOnce } = require('./log');

/** One of Next's image caches, for a handler instance that Next made for images. */
function openImageCache({ ImageOptimizerCache }, { serverDistDir, flushToDisk }) {
  const distDir = path.dirname(/* turbopackIgnore: true */ serverDistDir);
  // Next has applied its shortest lifetime before it calls a handler's set.
  const nextConfig = { images: { minimumCacheTTL: 0 }, experimental: { isrFlushToDisk: flushToDisk } };
  return new ImageOptimizerCache({ distDir, nextConfig });
}

/** What Next's image cache answers, as a handler's get answers it. */
function answerOf(entry) {
  if (!entry?.value) return null;
  const { revalidate } = entry.cacheControl;
  return { value: { ...entry.value, revalidate }, lastModified: entry.isStale ? 1 : Date.now() };
}

/**
 * `cache`, with images going elsewhere. `loadOptimizer` loads Next's module; it
 * is called when the first image is asked for.
 */
function withImages(cache, context, loadOptimizer) {
  let opened;
  const images = () => (opened ??= openImageCache(loadOptimizer(), context));
  const guarded = async (work) => {
    try {
      return await work();
    } catch (error) {
      warnOnce('next-images', `Next's own cache of images cannot be used either, none is cached: ${error.message}`);
      return null;
    }
  };
  const [get, set] = [cache.get.bind(cache), cache.set.bind(cache)];
  cache.get = (key, asked) =>
    asked?.kind === 'IMAGE' ? guarded(async () => answerOf(await images().get(key))) : get(key, asked);
  cache.set = (key, value, about) =>
    value?.kind === 'IMAGE' ? guarded(() => images().set(key, value, about)) : set(key, value, about);
  return cache;
}

module.exports = { withImages };
