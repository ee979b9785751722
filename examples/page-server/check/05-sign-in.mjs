// A site whose proxy.ts lets nobody in without a cookie.
import assert from 'node:assert/strict';
import { ask } from './lib/http.mjs';
import { build } from './lib/build.mjs';
import { check } from './lib/report.mjs';
import { counters, startNext, startPageServer } from './lib/process.mjs';

const PAGES = ['/', '/long', '/products/a', '/feed', '/help/returns', '/gone'];

/** Words of Next.js to itself, which the world may not say. */
const WORDS = [
  { 'x-middleware-subrequest': 'proxy:proxy:proxy:proxy:proxy' }, { 'x-middleware-subrequest': 'src/middleware:src/middleware:src/middleware:src/middleware:src/middleware' },
  { 'x-middleware-next': '1' }, { 'x-middleware-skip': '1' }, { 'x-middleware-prefetch': '1' }, { 'x-middleware-rewrite': '/long' },
  { 'x-matched-path': '/long' }, { 'x-now-route-matches': '1' }, { 'x-invoke-path': '/long' }, { 'x-invoke-status': '200' }, { 'x-nextjs-data': '1' },
  { 'x-prerender-revalidate': '1' }, { 'x-original-url': '/long' }, { 'x-rewrite-url': '/long' }, { 'x-http-method-override': 'GET' },
  { rsc: '1' }, { rsc: '1', 'next-router-prefetch': '1', 'next-router-segment-prefetch': '/_tree' }, { 'next-url': '/long' }, { purpose: 'prefetch' },
  { cookie: '__prerender_bypass=x; __next_preview_data=y' }, { host: 'localhost' }, { 'x-forwarded-host': 'localhost' }, { 'x-forwarded-for': '127.0.0.1' },
  { authorization: 'Basic YTpi' }, { range: 'bytes=0-99' }, { 'if-none-match': '*' }, { 'accept-encoding': 'gzip' },
];
const SPELLINGS = ['//long', '/long/', '/./long', '/x/../long', '/%6cong', '/%6Cong', '/LONG', '/long%2F', '/%2Flong', '/%2e/long', '/long%00', '/long;x', '/\\long', '/long?', '/long?_rsc=1', '/long?__nextLocale=en', '/long.rsc', '/long.html', '/long.json', '/long.segments/_tree.segment.rsc', '/index', '/_next/../long', '/_next/data/x/help/returns.json', '/_next/data/../../long', 'http://site.test/long', '//site.test/long'];

export async function run() {
  const folder = build('sign-in', 'sign-in');
  const next = await startNext(folder);
  const server = await startPageServer(folder, next.port);
  await check('0 pages without the cookie, however often others have seen them', async () => {
    let pages = 0;
    for (let times = 0; times < 5; times += 1) {
      for (const path of PAGES) {
        const inside = await ask(server.port, path, { headers: { cookie: 'session=ada' } });
        assert.ok(inside.status !== 401 && inside.body.length > 500, path);
        for (const method of ['GET', 'HEAD']) {
          const outside = await ask(server.port, path, { method });
          if (outside.status !== 401) pages += 1;
        }
      }
    }
    assert.equal(pages, 0);
  });
  await check('nor for who speaks as Next.js does to itself, or spells the path in another way', async () => {
    const [{ served }, tries] = [await counters(server), [...WORDS.flatMap((headers) => PAGES.map((path) => [path, headers])), ...SPELLINGS.map((path) => [path, {}])]];
    const pages = [];
    for (const [path, headers] of tries) {
      const { text } = await ask(server.port, path, { headers });
      if (/data-made-at|<main>|item 199|Made once/.test(text)) pages.push(`${path} ${JSON.stringify(headers)}`);
    }
    assert.deepEqual(pages, []);
    assert.equal((await counters(server)).served, served);
  });
  await check('all of it went to Next.js', async () => {
    const { served, proxied } = await counters(server);
    assert.equal(served, 0);
    assert.ok(proxied > PAGES.length * 15, String(proxied));
  });
  await server.end();
  await next.end();
}
