// `rm -rf` of the cache directory while visitors come: no error, no old price,
// and the cache fills again.
import assert from 'node:assert/strict';
import { runChild } from './lib/child.mjs';
import { startLoad } from './lib/load.mjs';
import { Visitor } from './lib/visitor.mjs';

const CHANGED = ['/products/alder-dining-chair', '/products/holm-rug'];
const PATHS = [...CHANGED, '/', '/categories/textiles', '/products/ebba-rug', '/help/delivery', '/api/catalogue', '/about'];

function judge(page, path, atLeast) {
  if (page.status !== 200) return `status ${page.status}`;
  if (atLeast === undefined) return null;
  if (page.price === null) return 'no price';
  return page.price < atLeast ? `the old price ${page.price}, not ${atLeast}` : null;
}

export async function run(t) {
  const tree = await t.tree();
  const servers = [await tree.start(), await tree.start()];

  await t.check('rm -rf under load, five times: no error response and no old price', async () => {
    const slugOf = (path) => path.split('/').at(-1);
    // Prices only rise. What a page must show at least; raised when nothing
    // that began before the change is under way any more.
    const floor = new Map();
    for (const path of CHANGED) floor.set(path, (await t.backOffice.product(slugOf(path))).price);
    const admin = await Visitor.admin(servers[0]);
    const loads = servers.map((server) => startLoad({ server, paths: PATHS, expect: (path) => floor.get(path), judge }));
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      // The marks of this change die with the directory, and what the build
      // made must not come back to life.
      const raised = CHANGED.map((path) => [path, floor.get(path) + 100]);
      for (const [path, price] of raised) await admin.changeProduct(slugOf(path), { price });
      assert.equal(await runChild('rm', ['-rf', tree.cache], { stdio: 'inherit' }), 0, 'rm -rf');
      await Promise.all(loads.map((load) => load.turnover()));
      raised.forEach(([path, price]) => floor.set(path, price));
      for (const path of CHANGED) {
        for (const server of servers) assert.equal((await server.get(path)).price, floor.get(path), `${path} after removal ${turn + 1}`);
      }
    }
    for (const load of loads) {
      const { requests, problems } = await load.stop();
      assert.deepEqual(problems.slice(0, 5), []);
      assert.ok(requests > 30, `${requests} requests`);
    }
  });

  await t.check('the cache fills again, on disk and for the next process', async () => {
    const [server] = servers;
    for (const path of PATHS) await server.get(path);
    const { madeAt } = await server.get('/products/ebba-rug');
    const page = await server.get('/products/ebba-rug');
    if (t.mode === 'isr') assert.equal(page.cache, 'HIT');
    assert.equal(page.madeAt, madeAt);
    assert.ok(tree.cacheBytes() > 0, 'there are files again');
    const next = await tree.start();
    assert.equal((await next.get('/products/ebba-rug')).madeAt, madeAt);
  });
}
