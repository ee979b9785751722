// Everything a visitor can do in the shop.
import assert from 'node:assert/strict';
import { filesBelow, formsOf } from './lib/tree.mjs';
import { Visitor } from './lib/visitor.mjs';
import { readFileSync } from 'node:fs';

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);

async function browsing(t, server) {
  await t.check('home and category pages list products', async () => {
    const home = await server.get('/');
    assert.equal(home.status, 200);
    assert.match(home.text, /Things that stay/);
    const lamps = await server.get('/categories/lamps');
    assert.equal(lamps.text.match(/<li class="card">/g).length, 39);
  });

  await t.check('a product page has its price, its text and about 50 KB', async () => {
    const product = await t.backOffice.product('alder-dining-chair');
    const page = await server.get('/products/alder-dining-chair');
    assert.equal(page.price, product.price);
    assert.equal(page.number('stock'), product.stock);
    assert.ok(page.text.includes(product.reviews[0].text));
    assert.ok(page.bytes.length > 40_000 && page.bytes.length < 70_000, `${page.bytes.length} bytes`);
  });

  await t.check('a variant has a sheet of its own; another product’s number is not found', async () => {
    const { skus, price } = await t.backOffice.product('holm-rug');
    const sheet = await server.get(`/products/holm-rug/${skus[3].sku}`);
    assert.equal(sheet.price, price + skus[3].surcharge);
    const wrong = await server.get(`/products/holm-rug/1001-00`);
    assert.match(wrong.text, /We do not have that|NEXT_HTTP_ERROR_FALLBACK;404/);
    assert.equal(wrong.price, null);
  });

  await t.check('searching finds by words, and answers each query anew', async () => {
    const page = await server.get('/search?q=rug');
    assert.equal(page.number('results'), 7);
    assert.match(page.text, /Holm Rug/);
    assert.equal((await server.get('/search?q=nothing-like-that')).number('results'), 0);
  });

  await t.check('unknown pages are 404, with the shop’s own page', async () => {
    for (const path of ['/nowhere', '/help/nothing']) {
      const page = await server.get(path);
      assert.equal(page.status, 404, path);
    }
    // With cacheComponents the status of a page that was never asked for is
    // sent before its content is known.
    const unknown = await server.get('/products/unknown');
    assert.equal(unknown.status, t.mode === 'isr' ? 404 : 200);
    assert.match(unknown.text, /We do not have that|NEXT_HTTP_ERROR_FALLBACK;404/);
  });

  await t.check('redirects: configured, from a page, from a Pages-router page', async () => {
    const configured = await server.get('/shop/holm-rug');
    assert.deepEqual([configured.status, configured.headers.get('location')], [308, '/products/holm-rug']);
    const offer = await server.get('/offers/today');
    assert.deepEqual([offer.status, offer.headers.get('location')], [307, '/products/alder-dining-chair']);
    const help = await server.get('/help/shipping');
    assert.deepEqual([help.status, help.headers.get('location')], [307, '/help/delivery']);
  });
}

async function everyKindOfRoute(t, server) {
  await t.check('JSON route, binary route and optimised image', async () => {
    const catalogue = JSON.parse((await server.get('/api/catalogue')).text);
    assert.equal(catalogue.products.length, 312);
    const pictures = [await server.get('/media/holm-rug.png'), await server.get('/media/holm-rug.png')];
    for (const picture of pictures) {
      assert.equal(picture.headers.get('content-type'), 'image/png');
      assert.ok(picture.bytes.subarray(0, 4).equals(PNG));
    }
    assert.ok(pictures[0].bytes.equals(pictures[1].bytes));
    assert.equal((await server.get('/media/unknown.png')).status, 404);
    const image = await server.get('/_next/image?url=%2Fmedia%2Fholm-rug.png&w=384&q=75', { accept: 'image/webp' });
    assert.equal(image.headers.get('content-type'), 'image/webp');
    assert.equal(image.bytes.subarray(8, 12).toString(), 'WEBP');
  });

  await t.check('client navigation: the page’s React payload', async () => {
    const path = '/products/alder-dining-chair';
    const first = await server.get(path, { rsc: '1' });
    const payload = first.status === 307 ? await server.get(first.headers.get('location'), { rsc: '1' }) : first;
    assert.equal(payload.status, 200);
    assert.match(payload.headers.get('content-type'), /text\/x-component/);
    assert.match(payload.text, /Alder Dining Chair/);
  });

  await t.check('the Pages-router page: prerendered, made on demand', async () => {
    for (const topic of ['delivery', 'repairs']) assert.equal((await server.get(`/help/${topic}`)).status, 200, topic);
    const [first, second] = [await server.get('/help/repairs'), await server.get('/help/repairs')];
    assert.equal(first.madeAt, second.madeAt);
    assert.equal(second.cache, 'HIT');
  });
}

async function carts(t, server, ada) {
  await t.check('a guest’s cart: add, change, remove', async () => {
    const guest = new Visitor(server);
    assert.match((await guest.get('/cart')).text, /Your cart is empty/);
    const { skus, price } = await t.backOffice.product('dune-armchair');
    const added = await guest.submit('/products/dune-armchair', /name="sku"/, { sku: skus[1].sku, quantity: 2 });
    assert.equal(added.path, '/cart');
    assert.equal(added.number('total'), 2 * (price + skus[1].surcharge));
    assert.equal((await guest.me()).cartCount, 2);
    const changed = await guest.submit('/cart', /aria-label="Quantity"/, { quantity: 3 });
    assert.equal(changed.number('total'), 3 * (price + skus[1].surcharge));
    const emptied = await guest.submit('/cart', /aria-label="Quantity"/, { quantity: 0 });
    assert.match(emptied.text, /Your cart is empty/);
  });

  await t.check('signing in: wrong password, right password, the guest’s cart comes along', async () => {
    const refused = await ada.signIn('ada@example.com', 'wrong');
    assert.match(refused.text, /e-mail or password is wrong/);
    assert.equal((await ada.me()).name, null);
    await ada.submit('/products/alder-dining-chair', /name="sku"/, { sku: '1001-00', quantity: 1 });
    const account = await ada.signIn('ada@example.com', 'correct horse');
    assert.equal(account.path, '/account');
    assert.match(account.text, /Ada Lindqvist/);
    assert.deepEqual(await ada.me(), { name: 'Ada Lindqvist', admin: false, cartCount: 1 });
  });

  await t.check('the session cookie is signed and out of reach of scripts', async () => {
    const mallory = new Visitor(server);
    const [text, signature] = ada.cookies.get('shop_session').split('.');
    const forged = { ...JSON.parse(Buffer.from(text, 'base64url')), customer: 2 };
    mallory.cookies.set('shop_session', `${Buffer.from(JSON.stringify(forged)).toString('base64url')}.${signature}`);
    assert.equal((await mallory.me()).name, null);
    const page = await new Visitor(server).submit('/sign-in', /data-form="sign-in"/, { email: 'ada@example.com', password: 'wrong' });
    assert.equal(page.headers.getSetCookie().length, 0);
    const { body, headers } = await signInRaw(server);
    assert.match(headers.getSetCookie().join(), /shop_session=[^;]+;.*HttpOnly/i, body);
  });
}

async function orders(t, server, ada, ben) {
  await t.check('checkout: the order, the empty cart, the stock', async () => {
    const before = await t.backOffice.product('alder-dining-chair');
    const order = await ada.submit('/cart', /Place the order/);
    assert.match(order.path, /^\/account\/orders\/\d+$/);
    assert.match(order.text, /Alder Dining Chair/);
    assert.match((await ada.get('/cart')).text, /Your cart is empty/);
    assert.equal((await ada.get('/account/orders')).number('orders'), 1);
    assert.equal((await server.get('/products/alder-dining-chair')).number('stock'), before.stock - 1);
  });

  await t.check('account, cart and orders are per customer and never mixed', async () => {
    await ben.signIn('ben@example.com', 'battery staple');
    for (let turn = 0; turn < 10; turn++) {
      const [adas, bens, orders] = await Promise.all([ada.get('/account'), ben.get('/account'), ben.get('/account/orders')]);
      assert.match(adas.text, /Ada Lindqvist/);
      assert.doesNotMatch(adas.text, /Ben Okafor/);
      assert.match(bens.text, /Ben Okafor/);
      assert.doesNotMatch(bens.text, /Ada Lindqvist/);
      assert.match(orders.text, /You have not ordered anything yet/);
    }
    // Ada's order does not exist for Ben.
    assert.match((await ben.get('/account/orders/1')).text, /We do not have that|NEXT_HTTP_ERROR_FALLBACK;404/);
    assert.doesNotMatch((await ben.get('/account/orders/1')).text, /Alder Dining Chair/);
    const saved = await ada.submit('/account', /data-form="account"/, { city: 'Malmö' });
    assert.match(saved.text, /Malmö/);
    assert.doesNotMatch((await ben.get('/account')).text, /Malmö/);
  });

  await t.check('a new customer can register', async () => {
    const visitor = new Visitor(server);
    const account = await visitor.submit('/sign-in', /data-form="register"/, {
      name: 'Cleo Novak', email: 'cleo@example.com', password: 'long enough', street: '5 Hill Road', city: 'Graz' });
    assert.equal(account.path, '/account');
    assert.match(account.text, /Cleo Novak/);
  });
}

async function sharedAndPersonal(t, server, ada) {
  if (t.mode === 'cc') {
    await t.check('a postponed page: the cached shell is shared, the hole is personal', async () => {
      const [adas, nobodys] = [await ada.get('/products/fjord-bar-stool'), await server.get('/products/fjord-bar-stool')];
      assert.match(adas.text, /Delivered to <!-- -->Malmö|Delivered to Malmö/);
      assert.doesNotMatch(nobodys.text, /Malmö/);
      assert.equal(adas.madeAt, nobodys.madeAt);
    });
  }

  await t.check('only the admin changes prices, and the change is in the next response', async () => {
    assert.equal((await ada.get('/admin')).text.includes('data-form="admin"'), false);
    const admin = await Visitor.admin(server);
    const { price } = await t.backOffice.product('ebba-armchair');
    for (const path of ['/products/ebba-armchair', '/categories/chairs', '/api/catalogue']) await server.get(path);
    await admin.changeProduct('ebba-armchair', { price: price + 1100, stock: 4 });
    const page = await server.get('/products/ebba-armchair');
    assert.deepEqual([page.price, page.number('stock')], [price + 1100, 4]);
    const euros = ((price + 1100) / 100).toFixed(2);
    assert.ok((await server.get('/categories/chairs')).text.includes(`€${euros}`));
    const { products } = JSON.parse((await server.get('/api/catalogue')).text);
    assert.equal(products.find(({ slug }) => slug === 'ebba-armchair').price, price + 1100);
  });
}

async function signingOut(t, tree, ada, ben) {
  await t.check('signing out leaves nothing behind', async () => {
    const token = ada.cookies.get('shop_session');
    await ada.submit('/account', /data-form="sign-out"/);
    assert.equal(ada.cookies.has('shop_session'), false);
    assert.deepEqual(await ada.me(), { name: null, admin: false, cartCount: 0 });
    assert.doesNotMatch((await ada.get('/account')).text, /Ada Lindqvist/);
    ada.token = token;
  });

  await t.check('no session token is in any file of the cache', () => {
    const files = filesBelow(tree.cache);
    assert.ok(files.length > 0, 'there is a cache directory');
    const all = files.map(({ path }) => readFileSync(path));
    // What is certainly cached is found, so the search can find something.
    assert.ok(all.some((bytes) => bytes.includes('ada@example.com')), 'Ada’s account is cached');
    for (const secret of [ada.token, ada.token.split('.')[1], ben.cookies.get('shop_session').split('.')[1], 'shop_session', t.backOffice.key]) {
      assert.equal(all.some((bytes) => formsOf(secret).some((form) => bytes.includes(form))), false);
    }
  });
}

export async function run(t) {
  const tree = await t.tree();
  const server = await tree.start();
  const ada = new Visitor(server);
  const ben = new Visitor(server);
  await browsing(t, server);
  await everyKindOfRoute(t, server);
  await carts(t, server, ada);
  await orders(t, server, ada, ben);
  await sharedAndPersonal(t, server, ada);
  await signingOut(t, tree, ada, ben);
}

/** The answer to the sign-in form itself, before where it leads. */
async function signInRaw(server) {
  const visitor = new Visitor(server);
  const page = await visitor.get('/sign-in');
  const form = page.text.match(/<form[\s\S]*?<\/form>/g).find((text) => text.includes('data-form="sign-in"'));
  const body = new FormData();
  for (const [, name, value] of form.matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?/g)) body.set(name, value ?? '');
  body.set('email', 'ada@example.com');
  body.set('password', 'correct horse');
  const answer = await server.fetch('/sign-in', { method: 'POST', body, headers: { origin: server.url } });
  return { body: answer.text, headers: answer.headers };
}
