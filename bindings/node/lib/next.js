'use strict';
// The Next.js that runs this handler: its version, and the few of its modules
// that are of use here. They are taken from the modules that are loaded
// already, because a handler may live outside the project that uses it; only
// the stand-in for a missing addon loads one.

const Module = require('node:module');
const fs = require('node:fs');
const path = require('node:path');
const { shared } = require('./shared');
const { projectRoot } = require('./config');
const { warnOnce } = require('./log');
const { withImages } = require('./next-images');

const DIST = `${path.sep}next${path.sep}dist${path.sep}`;
const FILE_SYSTEM_CACHE = 'server/lib/incremental-cache/file-system-cache.js';
const INCREMENTAL_CACHE = 'server/lib/incremental-cache/index.js';
// Where 16 and 15 have their handler for 'use cache'.
const DEFAULT_HANDLERS = ['server/lib/cache-handlers/default.js', 'server/lib/cache-handlers/default.external.js'];
const IMAGE_OPTIMIZER = 'server/image-optimizer.js';
const WORK_STORAGE = 'server/app-render/work-async-storage.external.js';
const DEFAULT_MEMORY_BYTES = 50 * 2 ** 20;
const SEARCH_EVERY_MS = 1000;

function findNextDirectory() {
  for (const file of Object.keys(Module._cache)) {
    const at = file.lastIndexOf(DIST);
    if (at !== -1) return file.slice(0, at + DIST.length - 'dist/'.length - 1);
  }
  try {
    const resolve = Module.createRequire(path.join(/* turbopackIgnore: true */ projectRoot(), 'package.json')).resolve;
    return path.dirname(resolve('next/package.json'));
  } catch {
    return undefined;
  }
}

/**
 * The package directory of the running Next.js; undefined outside of it, where it is
 * looked for again, but not with every call: a search takes as long as many gets.
 */
function nextDirectory() {
  const state = shared('next.directory', () => ({ found: undefined, searchedAt: -Infinity }));
  if (state.found || performance.now() - state.searchedAt < SEARCH_EVERY_MS) return state.found;
  state.searchedAt = performance.now();
  return (state.found = findNextDirectory());
}

function readVersion() {
  const directory = nextDirectory();
  if (!directory) return undefined;
  try {
    return JSON.parse(fs.readFileSync(path.join(/* turbopackIgnore: true */ directory, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

/** {found: "16.4.6", numbers: [16, 4]}, which are asked for often, found out once; undefined outside of Next.js. */
function version() {
  const state = shared('next.version', () => ({ found: undefined, numbers: undefined }));
  if (state.found === undefined && (state.found = readVersion()) !== undefined) {
    state.numbers = /^(\d+)\.(\d+)\./.exec(state.found)?.slice(1).map(Number);
  }
  return state;
}

/** "16.4.6"; "unknown" outside of Next.js. */
const nextVersion = () => version().found ?? 'unknown';

/** Whether the running Next.js is older than e.g. 16.4; what is unknown is new. */
function isNextBefore(major, minor = 0) {
  const { numbers } = version();
  return numbers !== undefined && (numbers[0] < major || (numbers[0] === major && numbers[1] < minor));
}

const moduleFile = (name) => path.join(/* turbopackIgnore: true */ nextDirectory() ?? '', 'dist', ...name.split('/'));

const loadModule = (name) => Module.createRequire(moduleFile(name))(moduleFile(name));

/**
 * Whether the running Next.js takes a handler from its global object where no path is
 * configured. Its source says so; its modules are not loaded for it, because they would
 * be too early: before Next.js has prepared its environment.
 */
function takesGlobalHandler() {
  try {
    const source = fs.readFileSync(moduleFile(INCREMENTAL_CACHE), 'utf8');
    return source.includes("Symbol.for('@next/cache-handlers')") && source.includes('.FetchCache;');
  } catch {
    return false;
  }
}

/** Where Next.js, since 15, keeps that object; undefined before. */
function workStorage() {
  const state = shared('next.work', () => ({ file: undefined, storage: undefined }));
  if (!state.storage) {
    // Joined once: outside of Next it would be in every revalidation.
    state.file ??= nextDirectory() && moduleFile(WORK_STORAGE);
    state.storage = Module._cache[state.file]?.exports.workAsyncStorage;
  }
  return state.storage;
}

/**
 * The object that stands for the request being worked on, and that lists what
 * it has revalidated; undefined outside of a request, and in the edge runtime.
 */
const currentWork = () => workStorage()?.getStore();

/** Whether a request can be told from others by that object. */
const tellsWork = () => workStorage() !== undefined;

/** revalidateTag and updateTag, as far as the running Next.js has them. */
function nextCacheFunctions() {
  const directory = nextDirectory();
  if (!directory) return {};
  const file = path.join(/* turbopackIgnore: true */ directory, 'cache.js');
  return Module.createRequire(file)(file);
}

// ---- standing in for a cache that cannot be opened ---------------------------------

const absentHandler = {
  get: async () => undefined,
  set: async () => {},
  refreshTags: async () => {},
  getExpiration: async () => 0,
  updateTags: async () => {},
  expireTags: async () => {},
};

class AbsentCache {
  async get() {
    return null;
  }
  async set() {}
  async revalidateTag() {}
  resetRequestCache() {}
}

/** An instance of Next's own cache for pages and fetches. */
function createNextCache(context) {
  try {
    const exports = loadModule(FILE_SYSTEM_CACHE);
    const cache = new (exports.default ?? exports)(context);
    // The instance for images is the only one that is given no file system.
    return context.fs ? cache : withImages(cache, context, () => loadModule(IMAGE_OPTIMIZER));
  } catch (error) {
    warnOnce('next-cache', `Next's own cache cannot be loaded either, nothing is cached: ${error.message}`);
    return new AbsentCache();
  }
}

/** Next's own handler for 'use cache': one for the process. */
function nextUseCacheHandler() {
  return shared('next.use-cache', () => {
    try {
      const exports = loadModule(DEFAULT_HANDLERS.find((name) => fs.existsSync(moduleFile(name))) ?? DEFAULT_HANDLERS[0]);
      return exports.createDefaultCacheHandler?.(DEFAULT_MEMORY_BYTES) ?? exports.default ?? absentHandler;
    } catch (error) {
      warnOnce('next-use-cache', `Next's own 'use cache' handler cannot be loaded either: ${error.message}`);
      return absentHandler;
    }
  });
}

module.exports = {
  createNextCache,
  currentWork,
  isNextBefore,
  nextCacheFunctions,
  nextUseCacheHandler,
  nextVersion,
  takesGlobalHandler,
  tellsWork,
};
