'use strict';
// Configuration, in this order of strength: options in code, environment,
// Next's own cacheMaxMemorySize where it was changed, defaults. A wrong value
// is a problem to be told, and the next weaker source counts instead: a typing
// mistake never takes a site down.

const fs = require('node:fs');
const path = require('node:path');
const { REMOTE_WANTED, parseRemote } = require('./remote/remote-config');
const { MB, parseSize } = require('./sizes');

const NEXT_DEFAULT_MEMORY_BYTES = 50 * MB;
const BUILD_MEMORY_BYTES = 8 * MB;
const IMAGES_SHARE = 4;
const SMALLEST_DISK_BYTES = 8 * MB;

const SIZE_WANTED = 'a number of bytes such as 67108864, or a size such as 64MB or 1.5GB';

function parseDiskSize(value) {
  const bytes = parseSize(value);
  return bytes === 0 || bytes >= SMALLEST_DISK_BYTES ? bytes : undefined;
}

function parseCount(value) {
  const number = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

const parseDirectory = (value) =>
  typeof value === 'string' && value.trim() !== '' && !value.includes('\0') ? value : undefined;

/** A pattern: `*` stands for any text; all else for itself. */
const compilePattern = (text) =>
  new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*')}$`, 'is');

/** Patterns from a list, or from text that names them one after another. */
function parsePatterns(value, separator) {
  const list = typeof value === 'string' ? value.split(separator).filter(Boolean) : value;
  if (!Array.isArray(list)) return undefined;
  const patterns = list.map((item) => {
    if (item instanceof RegExp) return new RegExp(item.source, item.flags.replace(/[gy]/g, ''));
    return typeof item === 'string' && item.trim() !== '' ? compilePattern(item.trim()) : undefined;
  });
  return patterns.includes(undefined) ? undefined : patterns;
}

const parseEngine = (value) => (value === 'nextcache' || value === 'next' ? value : undefined);

// One row per setting: its names, how it is read, and what would be right.
const SETTINGS = [
  { option: 'dir', variable: 'NEXT_CACHE_DIR', parse: parseDirectory, wanted: 'the path of a directory' },
  { option: 'maxMemorySize', variable: 'NEXT_CACHE_MAX_MEMORY_SIZE', parse: parseSize, wanted: SIZE_WANTED },
  {
    option: 'maxDiskSize',
    variable: 'NEXT_CACHE_MAX_DISK_SIZE',
    parse: parseDiskSize,
    wanted: `${SIZE_WANTED}, at least 8MB; or 0 for no disk tier`,
  },
  {
    option: 'maxItemsNumber',
    variable: 'NEXT_CACHE_MAX_ITEMS',
    parse: parseCount,
    wanted: 'a whole number of entries such as 10000; or 0 for no limit',
  },
  {
    option: 'dropHeaders',
    variable: 'NEXT_CACHE_DROP_HEADERS',
    parse: (value) => parsePatterns(value, /[\s,]+/),
    wanted: 'names of response headers such as "set-cookie, x-internal-*"',
  },
  {
    option: 'neverStore',
    variable: 'NEXT_CACHE_NEVER_STORE',
    parse: (value) => parsePatterns(value, /\s+/),
    wanted: 'patterns of URLs such as "https://api.example.com/account/* */private/*"',
  },
  {
    option: 'remote',
    variable: 'NEXT_CACHE_VALKEY_URL',
    parse: parseRemote,
    wanted: REMOTE_WANTED,
  },
  { option: 'engine', variable: 'NEXT_CACHE_ENGINE', parse: parseEngine, wanted: '"nextcache" or "next"' },
];

/** A wrong URL is told of without its secrets; a character of them may be what is wrong. */
const withoutPassword = (text) => text.replace(/\/\/.*@/s, '//***@');

function shown(value) {
  if (typeof value === 'string') return JSON.stringify(withoutPassword(value));
  const isPlain = value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? `{${Object.keys(value).join(', ')}}` : String(value);
}

const problem = (name, value, wanted) => `${name} is ${shown(value)}, which is not usable; it should be ${wanted}`;

/** What one source (option or variable names -> values) says, and what is wrong in it. */
function readSource(values, nameOf, problems) {
  const out = {};
  for (const setting of SETTINGS) {
    const value = values?.[nameOf(setting)];
    if (value === undefined || value === '') continue;
    const parsed = setting.parse(value);
    if (parsed === undefined) problems.push(problem(nameOf(setting), value, setting.wanted));
    else out[setting.option] = parsed;
  }
  return out;
}

function unknownOptions(options, problems) {
  const known = SETTINGS.map((setting) => setting.option);
  for (const name of Object.keys(options ?? {})) {
    if (!known.includes(name)) {
      problems.push(`the option ${JSON.stringify(name)} does not exist; the options are ${known.join(', ')}`);
    }
  }
}

function workingDirectory() {
  try {
    return process.cwd();
  } catch {
    return path.sep; // it has been removed
  }
}

/** The directory of `server.js` or `package.json` at or above `start`; else `start`. */
function projectRoot(start = workingDirectory(), exists = fs.existsSync) {
  for (let dir = start; ; ) {
    if (exists(path.join(dir, 'server.js')) || exists(path.join(dir, 'package.json'))) return dir;
    const parent = path.dirname(dir);
    if (parent === dir) return start;
    dir = parent;
  }
}

/**
 * The configuration that holds, and what is to be told about it.
 * @param sources.options   options in code
 * @param sources.env       environment
 * @param sources.nextMemory cacheMaxMemorySize as Next passes it; undefined before it has
 * @param sources.building  whether this is a worker of `next build`
 * @param sources.root      the project's root
 */
function resolveConfig({ options, env = {}, nextMemory, building = false, root }) {
  const problems = [];
  unknownOptions(options, problems);
  const code = readSource(options, (setting) => setting.option, problems);
  const environment = readSource(env, (setting) => setting.variable, problems);
  const next = {};
  if (nextMemory !== undefined && nextMemory !== NEXT_DEFAULT_MEMORY_BYTES) {
    const bytes = parseSize(nextMemory);
    if (bytes === undefined) problems.push(problem('cacheMaxMemorySize', nextMemory, SIZE_WANTED));
    else next.maxMemorySize = bytes;
  }
  const defaults = {
    dir: path.join(/* turbopackIgnore: true */ root, '.cache', 'nextcache'),
    maxMemorySize: NEXT_DEFAULT_MEMORY_BYTES,
    maxDiskSize: 1024 * MB,
    maxItemsNumber: 0,
    dropHeaders: [],
    neverStore: [],
    engine: 'nextcache',
  };
  const chosen = { ...defaults, ...next, ...environment, ...code };
  if (next.maxMemorySize === 0 && chosen.maxMemorySize === 0) {
    problems.push(
      'cacheMaxMemorySize: 0 in next.config turns the memory tier off, and every hit reads the disk. ' +
        'With nextcache it may be left out, also with several processes; or set NEXT_CACHE_MAX_MEMORY_SIZE=50MB',
    );
  }
  return {
    dir: path.resolve(/* turbopackIgnore: true */ root, chosen.dir),
    memoryBytes: building ? Math.min(chosen.maxMemorySize, BUILD_MEMORY_BYTES) : chosen.maxMemorySize,
    memoryItems: chosen.maxItemsNumber,
    diskBytes: chosen.maxDiskSize,
    dropHeaders: chosen.dropHeaders,
    neverStore: chosen.neverStore,
    engine: chosen.engine,
    building,
    // A build opens no connection unless it is told to.
    remote: building && !chosen.remote?.build ? undefined : chosen.remote,
    problems,
  };
}

/** The configuration of the cache of optimised images, a quarter of the whole's. */
function imagesConfig(config) {
  const { remote, ...rest } = config; // images stay on their machine
  const diskBytes = Math.floor(config.diskBytes / IMAGES_SHARE);
  return {
    ...rest,
    dir: path.join(/* turbopackIgnore: true */ config.dir, 'images'),
    memoryBytes: Math.floor(config.memoryBytes / IMAGES_SHARE),
    diskBytes: config.diskBytes === 0 ? 0 : Math.max(diskBytes, SMALLEST_DISK_BYTES),
  };
}

/** Whether this process is a worker of `next build`. */
const isBuilding = () => process.env.NEXT_PHASE === 'phase-production-build';

module.exports = { imagesConfig, isBuilding, parseSize, projectRoot, resolveConfig };
