// Two `next start` on one cache directory: a change made in one is in the next
// response of both, with nothing between them.
import assert from 'node:assert/strict';
import { Visitor } from './lib/visitor.mjs';

export async function run(t) {
  const tree = await t.tree();
  const [one, two] = [await tree.start(), await tree.start()];
  const servers = [one, two];

  for (const [kind, slug] of [['prerendered', 'alder-dining-chair'], ['rendered at run time', 'holm-rug']]) {
    await t.check(`a price changed in either process is in the next response of both (${kind})`, async () => {
      const path = `/products/${slug}`;
      let { price } = await t.backOffice.product(slug);
      for (let turn = 0; turn < 6; turn++) {
        // Twice, so that both hold it in memory.
        for (const server of [...servers, ...servers]) assert.equal((await server.get(path)).price, price);
        const admin = await Visitor.admin(servers[turn % 2]);
        price += 100;
        await admin.changeProduct(slug, { price });
        for (const server of turn % 4 < 2 ? servers : [two, one]) assert.equal((await server.get(path)).price, price, `turn ${turn}`);
      }
    });
  }

  await t.check('lists, JSON and carts follow in both processes', async () => {
    const { price, name, skus } = await t.backOffice.product('birk-pendant');
    const visitors = servers.map((server) => new Visitor(server));
    for (const visitor of visitors) await visitor.submit('/products/birk-pendant', /name="sku"/, { sku: skus[0].sku, quantity: 1 });
    for (const server of servers) {
      await server.get('/categories/lamps');
      await server.get('/api/catalogue');
    }
    await (await Visitor.admin(one)).changeProduct('birk-pendant', { price: price + 4200 });
    const euros = `€${((price + 4200) / 100).toFixed(2)}`;
    for (const server of servers) {
      assert.ok((await server.get('/categories/lamps')).text.includes(euros), `${name} in the category`);
      const { products } = JSON.parse((await server.get('/api/catalogue')).text);
      assert.equal(products.find(({ slug }) => slug === 'birk-pendant').price, price + 4200);
    }
    for (const visitor of visitors) assert.equal((await visitor.get('/cart')).number('total'), price + 4200);
  });

  await t.check('a customer signed in at both sees a change of the account in both', async () => {
    const visitors = servers.map((server) => new Visitor(server));
    for (const visitor of visitors) assert.match((await visitor.signIn('ben@example.com', 'battery staple')).text, /Utrecht/);
    await visitors[1].submit('/account', /data-form="account"/, { city: 'Ghent' });
    for (const visitor of visitors) assert.match((await visitor.get('/account')).text, /Ghent/);
  });
}
