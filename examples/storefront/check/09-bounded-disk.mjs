// With NEXT_CACHE_MAX_DISK_SIZE=16MB and 2 000 distinct pages of several tens of
// kilobytes, as they are stored, the cache directory keeps to its bound and the newest
// pages are the ones that stay.
import assert from 'node:assert/strict';

const BOUND = 16 * 2 ** 20;
// With cacheComponents each page is made twice, as a shell and in full, and
// takes more than twice the time and the room.
const PAGES = { isr: 2000, cc: 500 };
const NEWEST = 40;

async function variantPaths(backOffice, count) {
  const paths = [];
  for (const { slug } of await backOffice.call('GET', '/products')) {
    for (const { sku } of (await backOffice.product(slug)).skus) paths.push(`/products/${slug}/${sku}`);
    if (paths.length >= count) return paths.slice(0, count);
  }
  throw new Error(`the shop has only ${paths.length} variants`);
}

export async function run(t) {
  const tree = await t.tree();
  tree.clearCache();
  const limits = { NEXT_CACHE_MAX_DISK_SIZE: '16MB' };
  const server = await tree.start(limits);
  const paths = await variantPaths(t.backOffice, PAGES[t.mode]);
  let largest = 0;

  await t.check(`${PAGES[t.mode]} distinct pages: the directory never exceeds 16 MB + 1 % (+ the index)`, async () => {
    let next = 0;
    const work = async () => {
      while (next < paths.length) {
        const path = paths[next++];
        const page = await server.get(path);
        assert.equal(page.status, 200, path);
        largest = Math.max(largest, tree.cacheBytes());
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    assert.ok(largest <= BOUND * 1.01, `${largest} bytes`);
    const { bytesWritten } = await server.stats();
    // The bound was really reached and passed.
    assert.ok(bytesWritten > 1.5 * BOUND, `${bytesWritten} bytes were written`);
  });

  await t.check(`the newest ${NEWEST} pages are HITs, also for a new process; the oldest are not`, async () => {
    const newest = paths.slice(-NEWEST);
    const known = new Map();
    for (const path of newest) known.set(path, (await server.get(path)).madeAt);
    await server.kill();
    const after = await tree.start(limits);
    for (const path of newest) {
      const page = await after.get(path);
      assert.equal(page.madeAt, known.get(path), `${path} was made again`);
      if (t.mode === 'isr') assert.equal(page.cache, 'HIT', path);
    }
    const oldest = await after.get(paths[0]);
    assert.ok(oldest.madeAt > after.startedAt, 'the oldest page was made again');
  });
}
