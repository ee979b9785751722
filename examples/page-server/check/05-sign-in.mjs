// A site whose proxy.ts lets nobody in without a cookie.
import assert from 'node:assert/strict';
import { ask } from './lib/http.mjs';
import { build } from './lib/build.mjs';
import { check } from './lib/report.mjs';
import { counters, startNext, startPageServer } from './lib/process.mjs';

const PAGES = ['/', '/long', '/products/a', '/feed', '/help/returns', '/gone'];

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
  await check('all of it went to Next.js', async () => {
    const { served, proxied } = await counters(server);
    assert.deepEqual({ served, proxied }, { served: 0, proxied: PAGES.length * 15 });
  });
  await server.end();
  await next.end();
}
