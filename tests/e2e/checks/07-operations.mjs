// What the one who runs the site sees: metrics, and what a start says.
import assert from 'node:assert/strict';
import { shows, until } from '../lib/feature.mjs';

/** Samples of the metrics: name and labels -> number. */
async function scrape(server, headers) {
  const page = await server.get('/metrics', headers);
  assert.equal(page.status, 200, page.text.slice(0, 500));
  assert.match(page.headers.get('content-type'), /^text\/plain/);
  assert.equal(page.cache, null, 'nothing of it was cached');
  return new Map(page.text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
    const at = line.lastIndexOf(' ');
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

const sumOf = (samples, name) => [...samples].filter(([key]) => key.startsWith(name)).reduce((sum, [, n]) => sum + n, 0);
const lookUps = (samples) => ['memory_hits', 'disk_hits', 'misses'].reduce((sum, name) => sum + sumOf(samples, `nextcache_${name}_total`), 0);

const operations = {
  id: 'metrics', title: 'nextcache/metrics and nextcache/instrumentation', builds: ['webpack', 'turbopack', 'use-cache'], ours: true,
  async run(t) {
    const path = t.built.folder.endsWith('use-cache') ? '/item/a' : '/blog/a';
    const site = t.site();
    await t.check('scraped twice, the numbers move; two processes tell the same', async () => {
      const [server, other] = [await site.start(), await site.start()];
      const before = await scrape(server);
      for (let i = 0; i < 3; i += 1) shows(await server.get(path), '1');
      const after = await scrape(server);
      assert.ok(lookUps(after) >= lookUps(before) + 3, `${lookUps(before)} -> ${lookUps(after)}`);
      // Next.js answers before it has run instrumentation.js to its end.
      const processes = await until(async () => (await scrape(server)).get('nextcache_processes'), (n) => n === 2);
      assert.equal(processes, 2);
      assert.ok(lookUps(await scrape(other)) >= lookUps(after), 'the other process knows of them');
      assert.equal([...after.keys()].filter((name) => name.startsWith('nextcache_info{engine="nextcache"')).length, 1);
      await server.kill();
      assert.ok(lookUps(await scrape(other)) >= lookUps(after), 'nothing fell when it was killed');
      await other.stop();
    });
    await t.check('a token is asked for where there is one', async () => {
      const server = await site.start({ NEXT_CACHE_METRICS_TOKEN: 'of the scraper' });
      assert.equal((await server.get('/metrics')).status, 401);
      assert.equal((await server.get('/metrics', { authorization: 'Bearer wrong' })).status, 401);
      await scrape(server, { authorization: 'Bearer of the scraper' });
      await server.stop();
    });
    await t.check('a start says one line, and lifts what was in use into memory', async () => {
      const server = await site.start();
      const ready = await until(() => server.log.match(/^nextcache: ready.*$/gm) ?? [], (lines) => lines.length > 0);
      assert.equal(ready.length, 1, server.log);
      assert.match(ready[0], /; \d+ entries \([\d.]+ \w+\) lifted into memory in \d+ ms$/);
      const before = await scrape(server);
      shows(await server.get(path), '1');
      const after = await scrape(server);
      assert.equal(sumOf(after, 'nextcache_disk_hits_total'), sumOf(before, 'nextcache_disk_hits_total'), 'the first request needed no disk');
      assert.ok(sumOf(after, 'nextcache_memory_hits_total') > sumOf(before, 'nextcache_memory_hits_total'));
      assert.equal(server.log.match(/nextcache:/g).length, 1, server.log);
      await server.stop();
    });
  },
};

export const features = [operations];
