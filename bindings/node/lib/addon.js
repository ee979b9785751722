'use strict';
// The native half; a machine that cannot load it is told why, once.
//
// Next.js bundles these files into a Node proxy, and into a route that imports
// `nextcache` without naming it in serverExternalPackages. A bundle can hold
// nothing native, and need not: such a copy works on the cache that the
// handlers of the process have open. Bundlers replace the variable below by
// their name and drop the branch they do not need; elsewhere it is not set.

const bundled = Boolean(process.env.__NEXT_BUNDLER);
let addon;
let problem;

if (process.env.__NEXT_BUNDLER) {
  problem = new Error('a bundled copy has no native half; add nextcache to serverExternalPackages in next.config');
} else {
  try {
    addon = require('./binaries').loadAddon();
  } catch (error) {
    problem = error;
  }
}

module.exports = { addon, bundled, problem };
