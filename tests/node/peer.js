'use strict';
// A second process on the same cache, which does what it is told over IPC:
//
//   const peer = await startPeer({ env });
//   await peer.order('get', key, context);
//   await peer.stop();

const { fork } = require('node:child_process');
const path = require('node:path');
const { createInterface } = require('node:readline');

const PACKAGE = path.resolve(__dirname, '../../bindings/node');

async function startPeer({ dir, env, serverDistDir }) {
  const child = fork(__filename, [], {
    env: { ...process.env, NEXT_CACHE_DIR: dir, NEXT_CACHE_MAX_DISK_SIZE: '16MB', PEER_SERVER: serverDistDir ?? '', ...env },
    cwd: dir,
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const waiting = new Map();
  let last = 0;
  await new Promise((resolve) => child.once('message', resolve));
  child.on('message', ({ id, answer, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(answer);
  });
  return {
    child,
    lines, // of its log
    order: (name, ...args) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        child.send({ id: last, name, args });
      }),
    stop: () => {
      child.kill('SIGKILL');
      return exited;
    },
  };
}

function obey() {
  const load = (name) => require(path.join(PACKAGE, name));
  const CacheHandler = load('cache-handler.js');
  const useCache = load('use-cache-handler.js');
  const { nextNow } = load('lib/clock.js');
  const instances = new Map();
  const returned = new Map();
  const request = (name) => {
    const made = instances.get(name) ?? new CacheHandler({ serverDistDir: process.env.PEER_SERVER || undefined });
    if (name) instances.set(name, made);
    return made;
  };

  const orders = {
    now: () => ({ wall: Date.now(), next: nextNow() }),
    get: (key, context) => request().get(key, context),
    set: (key, value, context) => request().set(key, value, context),
    mark: (tags, durations) => request().revalidateTag(tags, durations),
    // One request that goes on over several orders; `setAgain` sets the very
    // object that its get returned, as Next does after a failed render.
    getIn: async (name, key, context) => {
      const entry = await request(name).get(key, context);
      returned.set(name, entry);
      return entry;
    },
    setIn: (name, key, value, context) => request(name).set(key, value, context),
    setAgain: (name, key, context) => request(name).set(key, returned.get(name).value, context),
    useCacheGet: async (key, softTags = []) => {
      await useCache.refreshTags();
      const entry = await useCache.get(key, softTags);
      return entry && { ...entry, value: await new Response(entry.value).text() };
    },
    useCacheSet: async (key, fields, text) => {
      await useCache.refreshTags();
      const entry = { stale: 300, revalidate: 60, expire: 3600, timestamp: nextNow(), tags: [], ...fields };
      await useCache.set(key, Promise.resolve({ ...entry, value: new Blob([text]).stream() }));
    },
    useCacheMark: (tags, durations) => useCache.updateTags(tags, durations),
  };
  process.on('message', async ({ id, name, args }) => {
    try {
      process.send({ id, answer: await orders[name](...args) });
    } catch (error) {
      process.send({ id, error: error.stack });
    }
  });
  process.send('ready');
}

if (require.main === module) obey();
else module.exports = { startPeer };
