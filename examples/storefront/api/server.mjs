// The back office: the shop's own API, JSON over HTTP, in front of the SQLite
// file. The catalogue is public; customers, carts, orders and every change need
// the key that shop and back office share (SHOP_API_KEY).
//
//   node api/server.mjs     PORT (4100), SHOP_DATABASE (.data/shop.db)
import { createServer } from 'node:http';
import { openDatabase } from './database.mjs';
import { routes } from './routes.mjs';

const db = openDatabase(process.env.SHOP_DATABASE ?? '.data/shop.db');
const key = process.env.SHOP_API_KEY;
if (!key) {
  console.error('back office: SHOP_API_KEY must be set');
  process.exit(2);
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks).toString('utf8')) : {};
}

async function answer(request) {
  const url = new URL(request.url, 'http://back-office');
  for (const route of routes) {
    const match = route.method === request.method && route.pattern.exec(url.pathname);
    if (!match) continue;
    if (!route.open && request.headers['x-shop-key'] !== key) return { status: 401, body: { error: 'key missing or wrong' } };
    const found = await route.run(db, {
      ...Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])),
      query: url.searchParams,
      body: request.method === 'GET' ? {} : await bodyOf(request),
    });
    return found === null || found === undefined ? { status: 404, body: { error: 'not found' } } : { status: 200, body: found };
  }
  return { status: 404, body: { error: 'no such route' } };
}

const server = createServer((request, response) => {
  answer(request)
    .catch((error) => ({ status: error.status ?? 500, body: { error: error.message } }))
    .then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify(body));
    });
});
// Longer than those who keep connections to it: else one is closed just as it is used again.
server.keepAliveTimeout = 600_000;
server.listen(Number(process.env.PORT ?? 4100), '127.0.0.1', () =>
  console.log(`back office: http://127.0.0.1:${server.address().port}`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    db.close();
    process.exit(0);
  });
}
