'use strict';
// What `cacheHandler` in next.config points to. Next.js bundles this file for
// the edge runtime too, where nothing native can be; there it does nothing.
if (process.env.NEXT_RUNTIME === 'edge') {
  module.exports = class CacheHandler {
    static with() {
      return this;
    }
    async get() {
      return null;
    }
    async set() {}
    async revalidateTag() {}
    resetRequestCache() {}
  };
} else {
  module.exports = require('./lib/incremental-cache');
}
