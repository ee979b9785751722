'use strict';
// The start of a server: the cache is opened before the first request, and what
// was in use before is lifted into memory while requests are served already.

const { isBuilding } = require('./config');
const { warn } = require('./log');
const { shared } = require('./shared');
const { whenEngine } = require('./engine');

const MOST_MS = 2000;
const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** 67108864 -> "64 MB" */
function inWords(bytes) {
  const unit = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  return `${Number((bytes / 1024 ** unit).toFixed(1))} ${UNITS[unit]}`;
}

function told({ dir, diskBytes, memoryBytes }, disk, { entries, bytes }, ms) {
  const where = disk ? `${inWords(diskBytes)} of disk in ${dir}` : 'no disk tier';
  const warmed = entries === 0 ? '' : `; ${entries} entries (${inWords(bytes)}) lifted into memory in ${Math.round(ms)} ms`;
  return `nextcache: ready, ${inWords(memoryBytes)} of memory, ${where}${warmed}`;
}

/** Opens, lifts, and tells of it; what cannot be opened was told already. */
async function start(engine, options, maxMs) {
  if (Object.keys(options).length > 0) engine.configure(options);
  const begin = performance.now();
  const warmed = await engine.warm(maxMs);
  if (warmed) console.log(told(engine.config, engine.stats()?.disk === 1, warmed, performance.now() - begin));
}

/**
 * Called once in each process of a server; a second copy of this file, of a
 * bundler, finds that it has been done.
 */
async function register({ warmForMs = MOST_MS, ...options } = {}) {
  const state = shared('instrumentation', () => ({ registered: false }));
  if (isBuilding() || state.registered) return;
  state.registered = true;
  // Not awaited: Next.js answers nobody before this returns.
  whenEngine()
    .then((engine) => start(engine, options, warmForMs))
    .catch((error) => warn('instrumentation', `warming failed: ${error.message}`));
}

module.exports = { register };
