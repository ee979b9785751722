'use strict';
// Where the addon and the tool are: built from source, in this package; otherwise
// in a package of their own for each platform, of which npm installs the one that
// fits. Names are spelled out, so that every tracer takes the files along.

const fs = require('node:fs');
const path = require('node:path');

/** Ways to the addon, the first one that loads is it. */
const ADDONS = {
  'linux-x64': [() => require('nextcache-linux-x64-gnu/nextcache.node'), () => require('nextcache-linux-x64-musl/nextcache.node')],
  'linux-arm64': [() => require('nextcache-linux-arm64-gnu/nextcache.node'), () => require('nextcache-linux-arm64-musl/nextcache.node')],
};

const TOOLS = {
  'linux-x64': ['nextcache-linux-x64-gnu/nextcache', 'nextcache-linux-x64-musl/nextcache'],
  'linux-arm64': ['nextcache-linux-arm64-gnu/nextcache', 'nextcache-linux-arm64-musl/nextcache'],
};

const platform = `${process.platform}-${process.arch}`;

const isMissing = (error) => error.code === 'MODULE_NOT_FOUND';

/** Loads the addon; throws what is worth knowing where none can be loaded. */
function loadAddon() {
  const problems = [];
  for (const load of [() => require('../nextcache.node'), ...(ADDONS[platform] ?? [])]) {
    try {
      return load();
    } catch (error) {
      problems.push(error);
    }
  }
  throw problems.find((error) => !isMissing(error)) ?? new Error(`there is no binary for ${platform}; were optional dependencies left out?`);
}

/** The path of the tool, or undefined. */
function findTool() {
  const built = path.join(__dirname, '../bin/nextcache');
  if (fs.existsSync(built)) return built;
  for (const file of TOOLS[platform] ?? []) {
    try {
      return require.resolve(file);
    } catch {
      // The other one, then.
    }
  }
  return undefined;
}

module.exports = { findTool, loadAddon, platform };
