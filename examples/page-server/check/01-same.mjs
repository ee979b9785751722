// A thousand requests, to Next.js and through the page server: every byte of the body, and
// every header in its order and spelling, must be the same.
import assert from 'node:assert/strict';
import { ask, headerLines } from './lib/http.mjs';
import { check } from './lib/report.mjs';
import { counters, startPageServer } from './lib/process.mjs';

const REQUESTS = 1000;
const PAGES = ['/', '/long', '/products/a', '/products/b', '/feed', '/gone', '/ruled', '/help/returns', '/help/payment', '/u/h%C3%A9llo', '/u/%E4%B8%96%E7%95%8C'];
const OTHERS = ['/me', '/alias', '/shadowed', '/behind', '/old', '/missing', '/products/a/', '/file.txt', '/products/%2561', '/%', '//long', '/long/../me', '/LONG', '/_next/nothing', '/index'];
const QUERIES = ['', '', '', '?utm_source=mail', '?a=1&b=%20', '?_rsc=abc', '?__nextDefaultLocale=en', '?%5Frsc=abc'];
const ENCODINGS = [undefined, 'gzip', 'gzip, deflate, br, zstd', 'br, gzip, deflate', 'deflate', 'identity', 'gzip;q=0.5, *;q=0', 'unknown'];
const MORE = [
  {}, {}, {}, {}, { 'user-agent': 'Mozilla/5.0' }, { accept: 'text/html', 'accept-language': 'de' }, { 'cache-control': 'no-cache', pragma: 'no-cache' },
  { range: 'bytes=0-99' }, { cookie: 'name=ada; beta=1' }, { rsc: '1' }, { rsc: '1', 'next-router-prefetch': '1' }, { purpose: 'prefetch' },
  { cookie: '__prerender_bypass=abc' }, { authorization: 'Basic YTpi' }, { 'if-none-match': '"other"' }, { 'if-none-match': 'ETAG' }, { 'if-none-match': 'W/ETAG' },
  { 'if-none-match': '"x", ETAG' }, { 'if-none-match': '*' }, { 'if-none-match': 'ETAG', 'cache-control': 'no-cache' },
  { 'if-modified-since': 'Wed, 21 Oct 2099 07:28:00 GMT' }, { 'x-forwarded-host': 'other.test', 'x-forwarded-proto': 'https' }, { 'next-url': '/' },
];

/** Always the same sequence of numbers. */
function sequence(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const plain = (random) => ({ path: PAGES[random(PAGES.length)], method: 'GET', headers: { host: 'site.test', 'accept-encoding': ENCODINGS[random(3)] ?? 'identity' } });

function draw(random, etags) {
  if (random(2)) return plain(random);
  const pick = (list) => list[random(list.length)];
  const path = random(5) ? pick(PAGES) : pick(OTHERS);
  const headers = { host: 'site.test', ...pick(MORE) };
  if (headers['if-none-match']) headers['if-none-match'] = headers['if-none-match'].replace('ETAG', etags.get(path) ?? '"none"');
  const encoding = pick(ENCODINGS);
  if (encoding) headers['accept-encoding'] = encoding;
  const kind = random(20);
  const method = kind === 0 ? 'POST' : kind === 1 ? 'OPTIONS' : kind < 5 ? 'HEAD' : 'GET';
  return { path: path + pick(QUERIES), method, headers };
}

export async function run({ folder, next }) {
  const server = await startPageServer(folder, next.port);
  const etags = new Map();
  // Visitors' pages are made at the first request, so that each of the two sees a hit.
  for (const path of [...PAGES, ...OTHERS, ...PAGES, ...OTHERS]) etags.set(path, (await ask(next.port, path)).headers.etag);
  const random = sequence(8);
  const requests = Array.from({ length: REQUESTS }, () => draw(random, etags));
  const differences = [];
  for (const { path, method, headers } of requests) {
    const without = await ask(next.port, path, { method, headers });
    const answer = await ask(server.port, path, { method, headers });
    try {
      assert.equal(answer.status, without.status);
      assert.deepEqual(headerLines(answer), headerLines(without));
      assert.ok(answer.body.equals(without.body), 'the bodies differ');
    } catch (error) {
      differences.push(`${method} ${path} ${JSON.stringify(headers)}: ${error.message}`);
    }
  }
  const { served, proxied, failed } = await counters(server);
  await check(`${REQUESTS} requests are answered as Next.js does`, () => assert.deepEqual(differences.slice(0, 5), []));
  console.log(`# served ${served}, proxied ${proxied}`);
  await check('of these, at least 300 were answered here, and none failed', () => assert.ok(served >= 300 && served + proxied === REQUESTS && failed === 0, `${served}, ${failed}`));
  await check('it ends cleanly', async () => assert.equal(await server.end(), 0));
}
