// Build, change a price, copy the tree with `cp -r`, start the copy: every
// file of the copy is younger than the change, and the old price is not served.
import assert from 'node:assert/strict';
import { Visitor } from './lib/visitor.mjs';

export async function run(t) {
  const tree = await t.tree();
  const slug = 'alder-dining-chair'; // prerendered
  const path = `/products/${slug}`;

  await t.check('a copy made with cp -r never serves a price from before the change', async () => {
    const { price } = await t.backOffice.product(slug);
    const server = await tree.start();
    assert.equal((await server.get(path)).price, price);
    await (await Visitor.admin(server)).changeProduct(slug, { price: price + 5000 });
    // The changed page is not asked for: the mark is all that the copy has.
    await server.stop();

    const copy = await tree.copy(`${tree.folder}-copy`, { keepTimes: false });
    try {
      const copied = await copy.start();
      for (let turn = 0; turn < 3; turn++) {
        assert.equal((await copied.get(path)).price, price + 5000);
        const euros = `€${((price + 5000) / 100).toFixed(2)}`;
        for (const list of ['/', '/categories/chairs', '/api/catalogue']) {
          const page = await copied.get(list);
          assert.ok(list === '/api/catalogue' ? page.text.includes(`"price":${price + 5000}`) : page.text.includes(euros), `${list} has the new price`);
        }
      }
    } finally {
      await copy.remove();
    }
  });

  await t.check('a copy without a change takes the build’s pages as they are', async () => {
    const untouched = await t.tree({ keepTimes: false });
    const server = await untouched.start();
    const page = await server.get('/products/dune-armchair');
    assert.ok(page.madeAt < server.startedAt);
    if (t.mode === 'isr') assert.ok(['HIT', 'STALE'].includes(page.cache), page.cache);
  });
}
