// What was rendered at run time is served after a restart and after kill -9.
// Pages that postponed carry no x-nextjs-cache: the time in the cached part
// tells whether it was made again, and the counters that the cache was asked.
import assert from 'node:assert/strict';

async function visit(server, paths) {
  const pages = new Map();
  for (const path of paths) pages.set(path, await server.get(path));
  return pages;
}

function sum(counters) {
  return Object.values(counters).reduce((total, count) => total + count, 0);
}

async function hits(server) {
  const { memoryHits, diskHits } = await server.stats();
  return sum(memoryHits) + sum(diskHits);
}

export async function run(t) {
  const tree = await t.tree();
  let server = await tree.start();
  const { skus } = await t.backOffice.product('holm-rug');
  // None of these is made by the build.
  const paths = ['/products/holm-rug', '/products/juniper-teapot', `/products/holm-rug/${skus[0].sku}`, '/help/repairs'];
  const silent = t.mode === 'cc' ? paths.slice(0, 2) : [];
  let known;

  await t.check('pages rendered at run time are HITs the next time', async () => {
    await visit(server, paths);
    if (t.mode === 'cc') await visit(server, paths);
    // With cacheComponents a new page is completed in the background.
    for (let turn = 0; turn < 50; turn++) {
      known = await visit(server, paths);
      if (paths.every((path) => silent.includes(path) || known.get(path).cache === 'HIT')) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    for (const path of paths) {
      assert.equal(known.get(path).status, 200, path);
      assert.ok(known.get(path).madeAt, `${path} says when it was made`);
      if (!silent.includes(path)) assert.equal(known.get(path).cache, 'HIT', path);
    }
  });

  for (const [how, end] of [['a restart', (ending) => ending.stop()], ['kill -9', (ending) => ending.kill()]]) {
    await t.check(`after ${how} they still are, and nothing is asked of the back office`, async () => {
      await end(server);
      t.backOffice.counts.clear();
      server = await tree.start();
      const before = await hits(server);
      const now = await visit(server, paths);
      for (const path of paths) {
        assert.equal(now.get(path).madeAt, known.get(path).madeAt, `${path} was made again`);
        if (!silent.includes(path)) assert.equal(now.get(path).cache, 'HIT', path);
      }
      assert.equal(t.backOffice.asked('/products/holm-rug') + t.backOffice.asked('/products/juniper-teapot'), 0);
      // From the disk, or from what instrumentation.js lifted into memory at the start.
      assert.ok((await hits(server)) >= before + paths.length, 'the answers came from the cache');
    });
  }
}
