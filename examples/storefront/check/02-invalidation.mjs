// The helpers of src/lib/util/cache.ts in the three settings they work in. In
// each, the change is made behind the shop's back first and must not show (so
// the answer is known to come from the cache), then the helper is called.
import assert from 'node:assert/strict';
import { until } from './lib/until.mjs';
import { Visitor } from './lib/visitor.mjs';

/** A server that asks the back office what changed, on a timer of its own. */
async function checkWarehouse(t, tree, server) {
  await t.check('invalidateProductCache outside any request, seen by another process too', async () => {
    const hasAsked = () => [...t.backOffice.counts.keys()].some((name) => name.startsWith('GET /changes?since='));
    const worker = await tree.start({ NEXT_PRIVATE_DEBUG_CACHE: '1', SHOP_SYNC_SECONDS: '0.2' });
    const { stock } = await t.backOffice.product('fjord-rug');
    assert.equal((await server.get('/products/fjord-rug')).number('stock'), stock);
    await until('its question', hasAsked);
    await t.backOffice.call('PATCH', '/products/fjord-rug', { stock: stock + 9 });
    const line = 'invalidated [product:fjord-rug, product-lists] by product (outside any request)';
    await until('the mark', () => worker.log.includes(line));
    for (const each of [worker, server]) assert.equal((await each.get('/products/fjord-rug')).number('stock'), stock + 9);
    await worker.stop();
  });

  await t.check('and what changes while nobody asks is asked for later', async () => {
    const { stock } = await t.backOffice.product('fjord-rug');
    await t.backOffice.call('PATCH', '/products/fjord-rug', { stock: stock + 9 });
    assert.equal((await server.get('/products/fjord-rug')).number('stock'), stock);
    const worker = await tree.start({ SHOP_SYNC_SECONDS: '0.2' });
    await until('the new stock', async () => (await server.get('/products/fjord-rug')).number('stock') === stock + 9, 30);
    await worker.stop();
  });
}

export async function run(t) {
  const tree = await t.tree();
  const server = await tree.start({ NEXT_PRIVATE_DEBUG_CACHE: '1' });
  const ada = new Visitor(server);
  await ada.signIn('ada@example.com', 'correct horse');

  const hook = async (change) => {
    const answer = await server.fetch('/api/hooks/back-office', {
      method: 'POST', headers: { 'x-shop-key': t.backOffice.key }, body: JSON.stringify(change) });
    return { status: answer.status, ...JSON.parse(answer.text) };
  };

  await t.check('helpers in a server action: product, cart, orders, customer', async () => {
    const { skus } = await t.backOffice.product('dune-armchair');
    await ada.submit('/products/dune-armchair', /name="sku"/, { sku: skus[0].sku, quantity: 1 });
    await ada.submit('/cart', /Place the order/);
    await ada.submit('/account', /data-form="account"/, { city: 'Turku' });
    assert.match((await ada.get('/account')).text, /Turku/);
    for (const line of ['[cart:customer-1] by cart (server action): ', '[orders:1] by order (server action): ',
      '[product:dune-armchair, product-lists] by product (server action): ', '[customer:1] by customer (server action): ']) {
      await until(line, () => server.log.includes(`nextcache: invalidated ${line}`));
    }
  });

  await t.check('invalidateProductCache in a route handler', async () => {
    const { price } = await t.backOffice.product('holm-rug');
    assert.equal((await server.get('/products/holm-rug')).price, price);
    await t.backOffice.call('PATCH', '/products/holm-rug', { price: price + 700 });
    assert.equal((await server.get('/products/holm-rug')).price, price);
    assert.deepEqual(await hook({ product: 'holm-rug' }), { status: 200, setting: 'route handler' });
    assert.equal((await server.get('/products/holm-rug')).price, price + 700);
  });

  await t.check('invalidateCustomerCache in a route handler', async () => {
    await ada.get('/account');
    const customer = await t.backOffice.call('GET', '/customers/1');
    await t.backOffice.call('PATCH', '/customers/1', { ...customer, city: 'Cork' });
    assert.doesNotMatch((await ada.get('/account')).text, /Cork/);
    assert.equal((await hook({ customer: 1 })).setting, 'route handler');
    assert.match((await ada.get('/account')).text, /Cork/);
  });

  await t.check('invalidateCartCache in a route handler', async () => {
    assert.equal((await ada.me()).cartCount, 0);
    await t.backOffice.call('PUT', '/carts/customer-1/lines', { sku: '1001-00', quantity: 5 });
    assert.equal((await ada.me()).cartCount, 0);
    assert.equal((await hook({ cart: 'customer-1' })).setting, 'route handler');
    assert.equal((await ada.me()).cartCount, 5);
  });

  await t.check('invalidateOrderCache in a route handler', async () => {
    const before = (await ada.get('/account/orders')).number('orders');
    await t.backOffice.call('POST', '/orders', { customer: 1, cart: 'customer-1' });
    assert.equal((await ada.get('/account/orders')).number('orders'), before);
    assert.equal((await hook({ orders: 1 })).setting, 'route handler');
    assert.equal((await ada.get('/account/orders')).number('orders'), before + 1);
  });

  await t.check('the route handler answers nobody without the key', async () => {
    const answer = await server.fetch('/api/hooks/back-office', { method: 'POST', body: '{"product":"holm-rug"}' });
    assert.equal(answer.status, 403);
  });

  await checkWarehouse(t, tree, server);
}
