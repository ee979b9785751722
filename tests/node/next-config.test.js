'use strict';
// withDirectHandler, in projects whose Next.js is one file of what it asks; the
// real ones are asked by tests/e2e.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { runScript, temporaryDirectory } = require('./support');

const SERVING = 'phase-production-server';
const READS_THE_PLACE = "const symbol = Symbol.for('@next/cache-handlers');\nCurCacheHandler = globalCacheHandler.FetchCache;\n";
const EFFECTLESS = /^nextcache: withDirectHandler has no effect: (.*)\n$/;

/** A project with a Next.js whose cache has this source, and a handler file. */
function project({ source = READS_THE_PLACE, handler = 'module.exports = class Handler {};', name = 'handler.js' } = {}) {
  const dir = temporaryDirectory();
  const next = path.join(dir, 'node_modules', 'next');
  const file = path.join(next, 'dist/server/lib/incremental-cache/index.js');
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(path.join(dir, 'package.json'), '{}');
  fs.writeFileSync(path.join(next, 'package.json'), JSON.stringify({ name: 'next', version: '17.0.0' }));
  fs.writeFileSync(file, source);
  fs.writeFileSync(path.join(dir, name), handler);
  return { cwd: dir, handler: path.join(dir, name) };
}

/** What `text`, an expression, is in a process of that project; {value, stderr}. */
async function ask({ cwd, handler }, text, env) {
  const { stdout, stderr } = await runScript(
    `const { withDirectHandler } = require(process.env.NXC_PACKAGE + '/next-config.js');
     const place = Symbol.for('@next/cache-handlers');
     const handler = ${JSON.stringify(handler)};
     const read = (config, phase = '${SERVING}') => withDirectHandler(config)(phase, {});
     (async () => console.log(JSON.stringify(await (${text}))))();`,
    { cwd, env },
  );
  assert.notEqual(stdout, '', stderr);
  return { value: JSON.parse(stdout), stderr };
}

const DIRECT = `read({ cacheHandler: handler, a: 1 }).then((config) => [config, globalThis[place]?.FetchCache.name])`;

test('a server gets the class, and no path', async () => {
  assert.deepEqual(await ask(project(), DIRECT), { value: [{ a: 1 }, 'Handler'], stderr: '' });
});

test('so it does from a handler file that is an ES module, or was compiled from one', async () => {
  const files = [
    { name: 'handler.mjs', handler: 'export default class Handler {}' },
    { handler: 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = class Handler {};' },
  ];
  for (const file of files) assert.deepEqual(await ask(project(file), DIRECT), { value: [{ a: 1 }, 'Handler'], stderr: '' });
});

test('a configuration may be a function or a promise', async () => {
  const text = `Promise.all([
    read((phase, context) => ({ cacheHandler: handler, phase, context })),
    read(Promise.resolve({ cacheHandler: handler, b: 2 })),
    read(async () => ({ cacheHandler: handler, c: 3 }))])`;
  const { value, stderr } = await ask(project(), text);
  assert.deepEqual(value, [{ phase: SERVING, context: {} }, { b: 2 }, { c: 3 }]);
  assert.equal(stderr, '');
});

test('builds and development keep the path, and say nothing', async () => {
  const files = project();
  for (const phase of ['phase-production-build', 'phase-development-server', 'phase-export']) {
    const { value, stderr } = await ask(files, `read({ cacheHandler: handler }, '${phase}').then((config) => [config, place in globalThis])`);
    assert.deepEqual([value, stderr], [[{ cacheHandler: files.handler }, false], '']);
  }
});

test('a server keeps the path where it has to, and says why', async () => {
  const rows = [
    [{ source: 'CurCacheHandler = FileSystemCache;' }, '', {}, /^Next\.js 17\.0\.0 takes a handler by its path alone$/],
    [{}, 'images: { customCacheHandler: true },', {}, /^images\.customCacheHandler /],
    [{}, 'cacheHandler: "./handler.js",', {}, /^cacheHandler is no absolute path$/],
    [{}, 'cacheHandler: undefined,', {}, /^cacheHandler is no absolute path$/],
    [{}, '', { NEXT_CACHE_HANDLER_PATH: '/other.js' }, /^NEXT_CACHE_HANDLER_PATH /],
    [{ handler: 'module.exports = {};' }, '', {}, /exports no class$/],
    [{ handler: 'throw new Error("broken");' }, '', {}, /^broken$/],
  ];
  for (const [files, properties, env, why] of rows) {
    const text = `(() => {
      const config = { cacheHandler: handler, ${properties} };
      return read(config).then((made) => [made === config, place in globalThis]); })()`;
    const { value, stderr } = await ask(project(files), text, env);
    assert.deepEqual(value, [true, false], String(why));
    assert.match(EFFECTLESS.exec(stderr)?.[1] ?? stderr, why);
  }
});

test('handlers of somebody else stay', async () => {
  const text = `(() => {
    globalThis[place] = { FetchCache: class Theirs {} };
    return ${DIRECT}; })()`;
  const files = project();
  const { value, stderr } = await ask(files, text);
  assert.deepEqual(value, [{ cacheHandler: files.handler, a: 1 }, 'Theirs']);
  assert.match(stderr, EFFECTLESS);
});

test('reading next.config again changes nothing', async () => {
  const { value, stderr } = await ask(project(), `${DIRECT}.then(() => ${DIRECT})`);
  assert.deepEqual([value, stderr], [[{ a: 1 }, 'Handler'], '']);
});

// A server that answers '/page' as from a cache, and asks for the class before if it is told to.
const SERVER = (asks) => `(async () => {
  await read({ cacheHandler: handler });
  const server = require('node:http').createServer((request, response) => {
    if (${asks} && request.url === '/page') new globalThis[place].FetchCache();
    if (request.url === '/page') response.setHeader('x-nextjs-cache', 'HIT');
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const get = (path) => fetch('http://127.0.0.1:' + server.address().port + path).then((response) => response.text());
  for (const path of ['/file', '/page', '/page']) await get(path);
  server.close();
  server.closeAllConnections();
  return 'done'; })()`;

test('a release that does not take it is told of, once', async () => {
  const { stderr } = await ask(project(), SERVER(false));
  assert.match(stderr, /^nextcache: Next\.js 17\.0\.0 does not use this cache: .*\n$/);
});

test('nothing is told where it is taken', async () => {
  assert.equal((await ask(project(), SERVER(true))).stderr, '');
});
