'use strict';
// Without a binary and without Next: nothing throws while it is loaded, and it says so once.
const assert = require('node:assert/strict');
const lines = [];
console.warn = (line) => lines.push(line);
const nextcache = require('nextcache');
assert.equal(nextcache.open(), false);
assert.equal(nextcache.open(), false);
assert.equal(lines.length, 1, lines.join('\n'));
assert.match(lines[0], /no binary for linux-x64/);
