'use strict';
// The native half. Required by a static relative path, so that every bundler
// and tracer takes it along; a machine that cannot load it is told why once.

let addon;
let problem;

try {
  addon = require('../nextcache.node');
} catch (error) {
  problem = error;
}

module.exports = { addon, problem };
