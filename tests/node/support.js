'use strict';
// What the tests of the binding share. Every test file runs in a process of its
// own; a test opens the cache in a directory of its own with freshCache().

const { AsyncLocalStorage } = require('node:async_hooks');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const Module = require('node:module');
const os = require('node:os');
const path = require('node:path');

const PACKAGE = path.resolve(__dirname, '../../bindings/node');
const inPackage = (name) => require(path.join(PACKAGE, name));

for (const name of Object.keys(process.env)) {
  if (name.startsWith('NEXT_')) delete process.env[name];
}

const made = [];

// Claims on lines of the log (lib/log.js) are this process's and its children's alone.
process.env.TMPDIR = fs.mkdtempSync(path.join(os.tmpdir(), 'nextcache-test-tmp-'));
made.push(process.env.TMPDIR);

function temporaryDirectory() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'nextcache-test-'));
  made.push(dir);
  return dir;
}

// Not in a hook: this one would come before those that end the processes which write there.
process.once('exit', () => {
  for (const dir of made) fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
});

/** Opens the process's cache anew, in `dir` or in an empty directory. */
function freshCache(options = {}) {
  const nextcache = inPackage('index.js');
  const dir = options.dir ?? temporaryDirectory();
  nextcache.close();
  nextcache.configure({ maxDiskSize: '16MB', maxMemorySize: '8MB', maxItemsNumber: 0, ...options, dir });
  if (!nextcache.open()) throw new Error('the addon cannot be loaded: build it first (target nextcache_node)');
  return dir;
}

/** Runs JavaScript text in a new process; {code, signal, stdout, stderr}. */
function runScript(text, { env = {}, cwd, args = [], patienceMs = 120000 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...args, '-e', text], {
      cwd,
      env: { ...process.env, NXC_PACKAGE: PACKAGE, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (out.stdout += data));
    child.stderr.on('data', (data) => (out.stderr += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...out, code, signal });
    });
  });
}

/**
 * Replaces console.warn until restore(); the lines are in `lines`. Meanwhile the
 * wall clock stands still, because a new minute brings new lines.
 */
function captureWarnings() {
  const lines = [];
  const { warn } = console;
  const { now } = Date;
  const moment = now();
  console.warn = (...words) => lines.push(words.join(' '));
  Date.now = () => moment;
  return {
    lines,
    restore: () => {
      console.warn = warn;
      Date.now = now;
    },
  };
}

/** As if Next.js had never been looked for. */
function forgetNext() {
  const { shared } = inPackage('lib/shared.js');
  Object.assign(shared('next.directory', Object), { found: undefined, searchedAt: -Infinity });
  Object.assign(shared('next.work', Object), { file: undefined, storage: undefined });
}

/** Runs functions as work on one request each, as the storage of a loaded Next.js tells. */
function inRequests(t) {
  const workAsyncStorage = new AsyncLocalStorage();
  const file = path.join(temporaryDirectory(), 'next/dist/server/app-render/work-async-storage.external.js');
  Module._cache[file] = { exports: { workAsyncStorage } };
  forgetNext();
  t.after(() => {
    delete Module._cache[file];
    forgetNext();
  });
  return (work) => workAsyncStorage.run({}, work);
}

/** Waits until `condition` holds; what has not come after a minute does not come. */
async function eventually(condition, patienceMs = 60000) {
  const until = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`never happened: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const fetchKey = (name) => Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64);

/** A value as fetch() hands it to set, and the context of its get and set. */
function fetchValue(body = 'Zm9v', revalidate = 3600) {
  return { kind: 'FETCH', data: { headers: { 'content-type': 'text/plain' }, body, status: 200, url: 'http://api/x' }, revalidate };
}
const fetchGet = (tags = [], softTags = [], revalidate = 3600) => ({
  kind: 'FETCH',
  revalidate,
  fetchUrl: 'http://api/x',
  fetchIdx: 1,
  tags,
  softTags,
});
const fetchSet = (tags = []) => ({ fetchCache: true, fetchUrl: 'http://api/x', fetchIdx: 1, tags });

/** An App page as Next 16 renders it. */
function appPage(tags = [], fields = {}) {
  return {
    kind: 'APP_PAGE',
    html: '<!DOCTYPE html><p>page</p>',
    rscData: Buffer.from('0:{"rsc":true}'),
    postponed: undefined,
    headers: { 'x-next-cache-tags': tags.join(','), 'x-nextjs-stale-time': '300' },
    status: undefined,
    segmentData: new Map([
      ['/_tree', Buffer.from('tree')],
      ['/_full', Buffer.from('full')],
    ]),
    ...fields,
  };
}
const pageGet = (fields = {}) => ({ kind: 'APP_PAGE', isRoutePPREnabled: false, isFallback: false, ...fields });
const pageSet = (cacheControl = { revalidate: 3600, expire: 31536000 }, fields = {}) => ({
  ...pageGet(fields),
  cacheControl,
});

/** A directory that looks like <distDir>/server of a finished build. */
function fakeBuild(dir = temporaryDirectory(), buildId = 'build-1') {
  const server = path.join(dir, '.next', 'server');
  fs.mkdirSync(path.join(server, 'app'), { recursive: true });
  fs.mkdirSync(path.join(server, 'pages'), { recursive: true });
  fs.writeFileSync(path.join(dir, '.next', 'BUILD_ID'), buildId);
  fs.writeFileSync(path.join(dir, '.next', 'build-manifest.json'), '{"pages":{}}');
  return server;
}

module.exports = {
  PACKAGE,
  appPage,
  captureWarnings,
  eventually,
  fakeBuild,
  fetchGet,
  fetchKey,
  fetchSet,
  fetchValue,
  freshCache,
  inPackage,
  inRequests,
  pageGet,
  pageSet,
  runScript,
  temporaryDirectory,
};
