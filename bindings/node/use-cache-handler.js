'use strict';
// What the entries of `cacheHandlers` in next.config point to. Next.js bundles
// this file for the edge runtime too, where nothing native can be; there it
// does nothing.
if (process.env.NEXT_RUNTIME === 'edge') {
  const handler = {
    with: () => handler,
    get: async () => undefined,
    set: async () => {},
    refreshTags: async () => {},
    getExpiration: async () => 0,
    updateTags: async () => {},
    expireTags: async () => {},
  };
  module.exports = handler;
} else {
  module.exports = require('./lib/use-cache');
}
