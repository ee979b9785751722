// The caches that a trace can be replayed through. An engine is
// { Singular, plural }: the class of `cacheHandler`, and the object of
// `cacheHandlers` for a configured name.
'use strict';

const path = require('node:path');

const BINDING = process.env.CONFORMANCE_BINDING ?? path.resolve(__dirname, '../../../bindings/node');

/** Ours. Next.js loads one file per interface, and so do we. */
function nextcache() {
  const unwrap = (module) => module.default ?? module;
  const Singular = unwrap(require(path.join(BINDING, 'cache-handler.js')));
  const plural = unwrap(require(path.join(BINDING, 'use-cache-handler.js')));
  return { Singular, plural: () => plural };
}

/** Next's own, from the installation in CONFORMANCE_NEXT: who recorded the
 * *.fs vectors. Replaying them through it proves the replay. */
function next() {
  const server = path.join(process.env.CONFORMANCE_NEXT, 'dist/server/lib');
  const Singular = require(path.join(server, 'incremental-cache/file-system-cache.js')).default;
  const handlers = new Map();
  const plural = (name) => {
    const { createDefaultCacheHandler } = require(path.join(server, 'cache-handlers/default.js'));
    if (!handlers.has(name)) handlers.set(name, createDefaultCacheHandler(52428800));
    return handlers.get(name);
  };
  return { Singular, plural };
}

const reference = () => require('./reference.js');

module.exports = { nextcache, next, reference };
