'use strict';
// What a site's operator reads. Trouble is told once per cause; the core
// already limits its own messages. With NEXT_PRIVATE_DEBUG_CACHE set, every
// call is logged in the manner of Next's own cache.

const { shared } = require('./shared');

const debugging = Boolean(process.env.NEXT_PRIVATE_DEBUG_CACHE);
const CAUSES_MAX = 1000;

/** Prints one line per `cause` in the life of the process. */
function warnOnce(cause, text) {
  const told = shared('log.told', () => new Set());
  if (told.has(cause) || told.size >= CAUSES_MAX) return;
  told.add(cause);
  console.warn(`nextcache: ${text}`);
}

function warn(text) {
  console.warn(`nextcache: ${text}`);
}

const debug = debugging ? (...words) => console.log('nextcache:', ...words) : undefined;

module.exports = { debug, warn, warnOnce };
