'use strict';
// A machine of its own, as far as the cache can tell: a process with its own cache
// directory, which runs functions that it is sent.
//
//   const pod = await startPod({ url });
//   await pod.run(({ handler }, key) => handler().get(key), key);
//   await pod.stop();

const { fork } = require('node:child_process');
const path = require('node:path');
const { createInterface } = require('node:readline');

const PACKAGE = path.resolve(__dirname, '../../../bindings/node');

const pods = new Set();

async function startPod({ url, dir, env, clientFile }) {
  const { temporaryDirectory } = require('../../node/support');
  const cacheDir = dir ?? temporaryDirectory();
  const child = fork(__filename, [], {
    env: { ...process.env, NEXT_CACHE_DIR: cacheDir, NEXT_CACHE_MAX_DISK_SIZE: '16MB', NEXT_CACHE_VALKEY_URL: url ?? '', POD_CLIENT: clientFile ?? '', ...env },
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => lines.push(line));
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const waiting = new Map();
  let last = 0;
  await Promise.race([
    new Promise((resolve) => child.once('message', resolve)),
    exited.then((code) => Promise.reject(new Error(`a pod ended with ${code}: ${lines.join('\n')}`))),
  ]);
  child.on('message', ({ id, answer, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(Object.assign(new Error(error.message), { code: error.code, stack: error.stack }));
    else resolve(answer);
  });
  const pod = {
    child,
    dir: cacheDir,
    lines,
    run: (work, ...args) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        child.send({ id: last, work: String(work), args });
      }),
    stats: () => pod.run(({ nextcache }) => nextcache.stats().remote),
    stop: () => {
      pods.delete(pod);
      child.kill('SIGKILL');
      return exited;
    },
  };
  pods.add(pod);
  return pod;
}

/** Ends the pods that a test has left. */
const stopPods = () => Promise.all([...pods].map((pod) => pod.stop()));

/** What a sent function is given first. */
function surroundings() {
  const load = (name) => require(path.join(PACKAGE, name));
  const CacheHandler = load('cache-handler.js');
  const nextcache = load('index.js');
  const { theEngine } = load('lib/engine.js');
  if (process.env.POD_CLIENT) nextcache.configure({ remote: require(process.env.POD_CLIENT)() });
  const { CLASSES } = load('lib/classes.js');
  const { decode } = load('lib/codec.js');
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  return {
    /** What the directory knows of the log. */
    saved: async () => {
      const { parts } = await theEngine().get('nextcache:remote', CLASSES.other);
      return parts ? decode(parts) : undefined;
    },
    CacheHandler,
    nextcache,
    useCache: load('use-cache-handler.js'),
    nextNow: load('lib/clock.js').nextNow,
    engine: theEngine,
    pause,
    handler: (serverDistDir) => new CacheHandler({ serverDistDir }),
    key: (name) => Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64),
    value: (body) => ({ kind: 'FETCH', data: { headers: {}, body, status: 200, url: 'http://api/x' }, revalidate: 3600 }),
    asked: (tags = [], softTags = []) => ({ kind: 'FETCH', revalidate: 3600, fetchUrl: 'http://api/x', fetchIdx: 1, tags, softTags }),
    setting: (tags = []) => ({ fetchCache: true, fetchUrl: 'http://api/x', fetchIdx: 1, tags }),
    state: {},
  };
}

function obey() {
  const around = surroundings();
  process.on('message', async ({ id, work, args }) => {
    try {
      process.send({ id, answer: await (0, eval)(`(${work})`)(around, ...args) });
    } catch (error) {
      process.send({ id, error: { message: error.message, code: error.code, stack: error.stack } });
    }
  });
  process.on('disconnect', () => process.exit());
  process.send('ready');
}

if (require.main === module) obey();
else module.exports = { startPod, stopPods };
