// What may depend on who asks goes to Next.js, and so does everything where the build is
// not understood.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, talk } from './lib/http.mjs';
import { check } from './lib/report.mjs';
import { counters, sleep, startPageServer } from './lib/process.mjs';

const DOUBTFUL = {
  'an RSC request': { headers: { rsc: '1' } },
  'a prefetch': { headers: { 'next-router-prefetch': '1' } },
  'a segment prefetch': { headers: { 'next-router-segment-prefetch': '/_tree' } },
  'a server action': { method: 'POST', headers: { 'next-action': 'abc' } },
  'a draft-mode cookie': { headers: { cookie: 'a=b; __prerender_bypass=x' } },
  'a preview cookie': { headers: { cookie: '__next_preview_data=x' } },
  'a POST': { method: 'POST' },
  'an OPTIONS': { method: 'OPTIONS' },
  'a GET with a body': { headers: { 'content-length': '2' }, body: 'ab' },
  'credentials': { headers: { authorization: 'Bearer x' } },
  'weighted encodings': { headers: { 'accept-encoding': 'gzip;q=0.1' } },
  'the query of an RSC request': { query: '?_rsc=1' },
  'a cookie of the Instant Navigation Testing API': { headers: { cookie: 'next-instant-navigation-testing=1' } },
  'a head that Node.js may find too large': { headers: { x: 'x'.repeat(10_000) } },
};

const MANIFESTS = ['server/middleware-manifest.json', 'server/functions-config-manifest.json', 'routes-manifest.json'];
const FILES = ['BUILD_ID', 'build-manifest.json', 'required-server-files.json', 'app-path-routes-manifest.json', 'server/pages-manifest.json', 'server/pages/nextcache-build.json', ...MANIFESTS];

const condition = [{ type: 'cookie', key: 'a' }];
const any = { regexp: '^/.*$', originalSource: '/:path*' };
const middleware = (matchers) => ({ version: 3, middleware: { '/': { matchers } }, functions: {}, sortedMiddleware: ['/'] });
const proxy = (matchers) => ({ version: 1, functions: { '/_middleware': { runtime: 'nodejs', matchers } } });

/** What is done to a site, and whether /long is answered here afterwards. */
const CHANGES = [
  ['nothing', () => {}, true],
  ['the site has a middleware for another path', (site) => site.write(MANIFESTS[0], middleware([{ regexp: '^/admin$', originalSource: '/admin' }])), true],
  ['the site has a middleware for this path', (site) => site.write(MANIFESTS[0], middleware([any]))],
  ['a middleware for /LONG, in other letters', (site) => site.write(MANIFESTS[0], middleware([{ regexp: '^/LONG$' }]))],
  ['a middleware for all paths but /LONG, in other letters', (site) => site.write(MANIFESTS[0], middleware([{ regexp: '^/(?!LONG).*$' }]))],
  ['a middleware for all paths but this one', (site) => site.write(MANIFESTS[0], middleware([{ regexp: '^/(?!long).*$' }])), true],
  ['a matcher of the middleware has `has`', (site) => site.write(MANIFESTS[0], middleware([{ regexp: '^/admin$', has: condition }]))],
  ['a matcher of the middleware has `missing`', (site) => site.write(MANIFESTS[0], middleware([{ regexp: '^/admin$', missing: condition }]))],
  ['a middleware without matchers', (site) => site.write(MANIFESTS[0], middleware(undefined))],
  ['a matcher that is no regular expression', (site) => site.write(MANIFESTS[0], middleware([{ regexp: '(' }]))],
  ['the site has a proxy for this path', (site) => site.write(MANIFESTS[1], proxy([any]))],
  ['the site has a proxy by another name', (site) => site.write(MANIFESTS[1], { version: 1, functions: { '/_proxy': { matchers: [any] } } })],
  ['a matcher of the proxy has `has`', (site) => site.write(MANIFESTS[1], proxy([{ regexp: '^/admin$', has: condition }]))],
  ...MANIFESTS.flatMap((name) => [
    [`${name} is missing`, (site) => site.remove(name)],
    [`${name} is damaged`, (site) => site.write(name, '{"version":')],
    [`${name} is of another version`, (site) => site.write(name, { ...site.read(name), version: 4 })],
  ]),
  ['a rewrite for this path looks at a cookie', (site) => site.write(MANIFESTS[2], { ...site.read(MANIFESTS[2]), rewrites: { beforeFiles: [{ source: '/long', regex: '^/long$', has: condition }] } })],
  ['the site has languages', (site) => site.write(MANIFESTS[2], { ...site.read(MANIFESTS[2]), i18n: { locales: ['en'], defaultLocale: 'en' } })],
  ['the site has a custom server', (site) => site.file('server.js', 'require("next")({})')],
  ['the site is started by something else', (site) => site.file('package.json', '{ "scripts": { "start": "node app.js" } }')],
  ['package.json is missing', (site) => unlinkSync(join(site.folder, 'package.json'))],
  ['a server of a standalone build', (site) => site.file('server.js', 'process.env.__NEXT_PRIVATE_STANDALONE_CONFIG = ""; startServer({})'), true],
  ['another build', (site) => site.file('.next/BUILD_ID', 'another')],
];

/** A site of the files that the page server reads. */
class Copy {
  constructor(folder, from) {
    this.folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, '.next/server/pages'), { recursive: true });
    for (const name of FILES) cpSync(join(from, '.next', name), join(folder, '.next', name));
    cpSync(join(from, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(from, '../node_modules'), join(folder, 'node_modules'));
  }

  read(name) {
    return JSON.parse(readFileSync(join(this.folder, '.next', name), 'utf8'));
  }

  file(name, text) {
    writeFileSync(join(this.folder, name), text);
  }

  write(name, content) {
    this.file(join('.next', name), typeof content === 'string' ? content : JSON.stringify(content));
  }

  remove(name) {
    unlinkSync(join(this.folder, '.next', name));
  }
}

/** Whether /long is answered here, asked often enough to be learned. */
async function isServed(server) {
  const before = await counters(server);
  for (let times = 0; times < 4; times += 1) assert.equal((await ask(server.port, '/long')).status, 200);
  return (await counters(server)).served > before.served;
}

async function checkRequests(folder, next) {
  const server = await startPageServer(folder, next.port);
  assert.ok(await isServed(server));
  for (const [what, { query = '', ...request }] of Object.entries(DOUBTFUL)) {
    await check(`${what} goes to Next.js`, async () => {
      const before = await counters(server);
      for (let times = 0; times < 3; times += 1) await ask(server.port, `/long${query}`, request);
      const after = await counters(server);
      assert.equal(after.served, before.served);
      assert.equal(after.proxied, before.proxied + 3);
    });
  }
  await check('no Host, and HTTP/1.0, go to Next.js', async () => {
    const before = await counters(server);
    assert.match(await talk(server.port, 'GET /long HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.match(await talk(server.port, 'GET /long HTTP/1.0\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 200 /);
    assert.equal((await counters(server)).served, before.served);
  });
  await check('a page whose headers depend on a cookie is never answered here', async () => {
    const before = await counters(server);
    for (let times = 0; times < 4; times += 1) {
      assert.equal((await ask(server.port, '/ruled')).headers['x-beta'], undefined);
      assert.equal((await ask(server.port, '/ruled', { headers: { cookie: 'beta=1' } })).headers['x-beta'], 'yes');
    }
    assert.equal((await counters(server)).served, before.served);
  });
  await check('the page for what does not exist, which is another one for an image', async () => {
    const before = await counters(server);
    for (const [dest, type] of [['document', 'text/html'], ['document', 'text/html'], ['document', 'text/html'], ['image', 'text/plain']]) {
      const { headers } = await ask(server.port, '/_not-found', { headers: { 'sec-fetch-dest': dest } });
      assert.equal(headers['content-type'], `${type}; charset=utf-8`);
    }
    assert.equal((await counters(server)).served, before.served);
  });
  for (const [path, name, value] of [['/u/cookie', 'set-cookie', /^seen=1$/], ['/varied', 'vary', /user-agent/i]]) {
    await check(`an answer with ${name} is never repeated here`, async () => {
      for (let times = 0; times < 3; times += 1) await ask(server.port, path);
      const { served } = await counters(server);
      const { headers } = await ask(server.port, path);
      assert.equal(headers['x-nextjs-cache'], 'HIT');
      assert.match(String(headers[name]), value);
      assert.equal((await counters(server)).served, served);
    });
  }
  await server.end();
}

async function checkSites(folder, next) {
  const cache = ['--cache', join(folder, '.cache/nextcache')];
  for (const [what, change, expected = false] of CHANGES) {
    await check(`${expected ? 'served' : 'all to Next.js'}: ${what}`, async () => {
      const site = new Copy(`${folder}-copy`, folder);
      change(site);
      const server = await startPageServer(site.folder, next.port, ...cache);
      const served = await isServed(server);
      await server.end();
      assert.equal(served, expected, server.log);
    });
  }
  await check('a change of the build is noticed while running', async () => {
    const site = new Copy(`${folder}-copy`, folder);
    const server = await startPageServer(site.folder, next.port, ...cache);
    assert.ok(await isServed(server));
    site.write(MANIFESTS[1], proxy([any]));
    await sleep(150);
    assert.equal(await isServed(server), false);
    await server.printed(/the site is open\n[^]*$/);
    site.write(MANIFESTS[1], '{');
    await sleep(150);
    assert.equal(await isServed(server), false);
    await server.printed(/everything goes to Next\.js: \.next\/server\/functions-config-manifest\.json cannot be read/);
    await server.end();
  });
}

export async function run({ folder, next }) {
  await checkRequests(folder, next);
  await checkSites(folder, next);
}
