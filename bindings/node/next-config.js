'use strict';
// For next.config: the handler without an import for every request.
//
// Next.js imports the module that `cacheHandler` names two or three times for
// each page that it answers. Where no path is configured it takes the class
// from a property of the global object, as its makers' platform does. That is
// not documented. So the source of the running release is asked, where it says
// nothing of it the path stays, and the first page that is answered shows
// whether it is so.

const { subscribe, unsubscribe } = require('node:diagnostics_channel');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { warnOnce } = require('./lib/log');
const { nextVersion, takesGlobalHandler } = require('./lib/next');
const { shared } = require('./lib/shared');

const PLACE = Symbol.for('@next/cache-handlers');
const SERVING = 'phase-production-server'; // `next start`, and servers of a project's own
const ANSWERED = 'http.server.response.finish';

/** What was put there, when next.config was read before. */
const state = shared('next-config', () => ({ handlers: undefined, taken: false }));

/** Why the path has to stay; undefined where it need not. */
function obstacle({ cacheHandler, images }) {
  if (!path.isAbsolute(cacheHandler ?? '')) return 'cacheHandler is no absolute path';
  if (images?.customCacheHandler) return 'images.customCacheHandler takes the handler by its path';
  if (process.env.NEXT_CACHE_HANDLER_PATH) return 'NEXT_CACHE_HANDLER_PATH would come into its place';
  if (globalThis[PLACE] !== state.handlers) return 'somebody else has put handlers there';
  return takesGlobalHandler() ? undefined : `Next.js ${nextVersion()} takes a handler by its path alone`;
}

/** The class in a handler file, found as Next.js finds it. */
async function load(file) {
  const { default: exported, ...named } = await import(pathToFileURL(file).href);
  const handler = exported?.default ?? exported ?? named;
  if (typeof handler !== 'function') throw new TypeError(`${file} exports no class`);
  return handler;
}

/** Looks at the first page from a cache: by then Next.js has asked for a handler. */
function watch() {
  subscribe(ANSWERED, function look({ response }) {
    if (!state.taken && !response.hasHeader('x-nextjs-cache')) return;
    unsubscribe(ANSWERED, look);
    if (state.taken) return;
    warnOnce('direct', `Next.js ${nextVersion()} does not use this cache: take withDirectHandler out of next.config, cacheHandler alone works`);
  });
}

function put(handler) {
  if (!state.handlers) watch();
  state.handlers = {
    get FetchCache() {
      state.taken = true;
      return handler;
    },
  };
  globalThis[PLACE] = state.handlers;
}

async function direct(config) {
  const { cacheHandler, ...rest } = config;
  try {
    const why = obstacle(config);
    if (why) throw new Error(why);
    put(await load(cacheHandler));
    return rest;
  } catch (error) {
    warnOnce('path', `withDirectHandler has no effect: ${error.message}`);
    return config;
  }
}

/** A configuration, or the function or the promise of one -> what next.config is to export. */
const withDirectHandler = (config) => async (phase, context) => {
  const made = await (typeof config === 'function' ? config(phase, context) : config);
  return phase === SERVING ? direct(made) : made;
};

module.exports = { withDirectHandler };
