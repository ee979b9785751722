// What the back office answers. A route's `run` returns the JSON to send; null
// is 404, a thrown Refusal its status. `open` routes need no key.
import { hashPassword, verifyPassword } from './password.mjs';
import { transaction } from './database.mjs';

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const CARD = 'slug, category, name, tagline, price, stock';

function productOf(db, slug) {
  const row = db.get('SELECT * FROM product WHERE slug = ?', slug);
  if (!row) return null;
  const { detail, featured, replaced_by: replacedBy, ...product } = row;
  return {
    ...product,
    ...JSON.parse(detail),
    replacedBy,
    skus: db.all('SELECT sku, finish, size, surcharge FROM sku WHERE product = ? ORDER BY sku', slug),
    related: db.all(`SELECT ${CARD} FROM product WHERE category = ? AND slug > ? AND replaced_by IS NULL ORDER BY slug LIMIT 4`, [product.category, slug]),
  };
}

function cartOf(db, id) {
  const lines = db.all(
    `SELECT l.sku, l.quantity, s.finish, s.size, p.slug, p.name, p.price + s.surcharge AS price
     FROM cart_line l JOIN sku s ON s.sku = l.sku JOIN product p ON p.slug = s.product WHERE l.cart = ? ORDER BY l.sku`, id);
  return {
    id,
    lines,
    count: lines.reduce((sum, line) => sum + line.quantity, 0),
    total: lines.reduce((sum, line) => sum + line.quantity * line.price, 0),
  };
}

function orderOf(db, id) {
  const order = db.get('SELECT id, customer, placed_at AS placedAt, total, street, city FROM "order" WHERE id = ?', id);
  if (!order) return null;
  return { ...order, lines: db.all('SELECT sku, name, quantity, price FROM order_line WHERE "order" = ?', id) };
}

const PUBLIC_CUSTOMER = 'id, email, name, city, street, admin';

function changeProduct(db, slug, { price, stock }) {
  return transaction(db, () => {
    if (Number.isInteger(price)) db.run('UPDATE product SET price = ? WHERE slug = ?', [price, slug]);
    if (Number.isInteger(stock)) db.run('UPDATE product SET stock = ? WHERE slug = ?', [stock, slug]);
    const product = db.get(`SELECT ${CARD} FROM product WHERE slug = ?`, slug);
    if (product) db.run('INSERT INTO change (product) VALUES (?)', slug);
    return product;
  });
}

async function signIn(db, { email = '', password = '' }) {
  const row = db.get('SELECT * FROM customer WHERE email = ?', email);
  // An unknown address costs as much time as a wrong password.
  const known = row ?? { salt: '00', password: '00'.repeat(32) };
  if (!(await verifyPassword(password, known.salt, known.password)) || !row) throw new Refusal(401, 'e-mail or password is wrong');
  return db.get(`SELECT ${PUBLIC_CUSTOMER} FROM customer WHERE id = ?`, row.id);
}

function register(db, { email, name, password, city, street }) {
  if (!email || !name || !(password?.length >= 8)) throw new Refusal(400, 'name, e-mail and a password of 8 characters are needed');
  if (db.get('SELECT 1 FROM customer WHERE email = ?', email)) throw new Refusal(409, 'there is an account with this e-mail');
  const { salt, hash } = hashPassword(password);
  db.run('INSERT INTO customer (email, name, city, street, salt, password) VALUES (?, ?, ?, ?, ?, ?)', [email, name, city ?? '', street ?? '', salt, hash]);
  return db.get(`SELECT ${PUBLIC_CUSTOMER} FROM customer WHERE email = ?`, email);
}

function setLine(db, cart, { sku, quantity, add }) {
  if (!Number.isInteger(quantity) || quantity < 0 || quantity > 99) throw new Refusal(400, 'quantity must be 0 to 99');
  if (!db.get('SELECT 1 FROM sku WHERE sku = ?', sku)) throw new Refusal(404, 'no such article');
  if (quantity === 0) db.run('DELETE FROM cart_line WHERE cart = ? AND sku = ?', [cart, sku]);
  else {
    db.run(
      `INSERT INTO cart_line VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET quantity = ${add ? 'min(99, quantity + excluded.quantity)' : 'excluded.quantity'}`,
      [cart, sku, quantity]);
  }
  return cartOf(db, cart);
}

function takeOver(db, cart, from) {
  return transaction(db, () => {
    for (const line of db.all('SELECT sku, quantity FROM cart_line WHERE cart = ?', from)) setLine(db, cart, { ...line, add: true });
    db.run('DELETE FROM cart_line WHERE cart = ?', from);
    return cartOf(db, cart);
  });
}

function placeOrder(db, { customer: id, cart: cartId }) {
  return transaction(db, () => {
    const customer = db.get('SELECT * FROM customer WHERE id = ?', id);
    const cart = cartOf(db, cartId);
    if (!customer || cart.count === 0) throw new Refusal(400, 'the cart is empty');
    for (const line of cart.lines) {
      const { stock } = db.get('SELECT stock FROM product WHERE slug = ?', line.slug);
      if (stock < line.quantity) throw new Refusal(409, `only ${stock} of ${line.name} are left`);
      db.run('UPDATE product SET stock = stock - ? WHERE slug = ?', [line.quantity, line.slug]);
      db.run('INSERT INTO change (product) VALUES (?)', line.slug);
    }
    const placed = new Date().toISOString();
    db.run('INSERT INTO "order" (customer, placed_at, total, street, city) VALUES (?, ?, ?, ?, ?)', [id, placed, cart.total, customer.street, customer.city]);
    const { id: order } = db.get('SELECT last_insert_rowid() AS id');
    for (const line of cart.lines) {
      db.run('INSERT INTO order_line VALUES (?, ?, ?, ?, ?)', [order, line.sku, `${line.name}, ${line.finish}, ${line.size}`, line.quantity, line.price]);
    }
    db.run('DELETE FROM cart_line WHERE cart = ?', cartId);
    return { ...orderOf(db, order), products: [...new Set(cart.lines.map((line) => line.slug))] };
  });
}

function changesSince(db, since) {
  const { seq } = db.get('SELECT coalesce(max(seq), 0) AS seq FROM change');
  if (since === null) return { seq, products: [] };
  return { seq, products: db.all('SELECT DISTINCT product FROM change WHERE seq > ?', Number(since)).map((row) => row.product) };
}

function search(db, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 5);
  if (words.length === 0) return [];
  const where = words.map(() => "(name || ' ' || tagline || ' ' || category) LIKE ?").join(' AND ');
  return db.all(`SELECT ${CARD} FROM product WHERE replaced_by IS NULL AND ${where} ORDER BY name LIMIT 48`, words.map((word) => `%${word}%`));
}

export const routes = [
  { open: true, method: 'GET', pattern: /^\/categories$/, run: (db) =>
    db.all('SELECT c.*, count(*) AS count FROM category c JOIN product p ON p.category = c.slug WHERE p.replaced_by IS NULL GROUP BY c.slug ORDER BY c.name') },
  { open: true, method: 'GET', pattern: /^\/categories\/(?<slug>[^/]+)$/, run: (db, { slug }) => {
    const category = db.get('SELECT * FROM category WHERE slug = ?', slug);
    return category && { ...category, products: db.all(`SELECT ${CARD} FROM product WHERE category = ? AND replaced_by IS NULL ORDER BY name`, slug) };
  } },
  { open: true, method: 'GET', pattern: /^\/products$/, run: (db, { query }) =>
    db.all(`SELECT ${CARD} FROM product WHERE replaced_by IS NULL ${query.has('featured') ? 'AND featured' : ''} ORDER BY category, name`) },
  { open: true, method: 'GET', pattern: /^\/products\/(?<slug>[^/]+)$/, run: (db, { slug }) => productOf(db, slug) },
  { open: true, method: 'GET', pattern: /^\/skus\/(?<sku>[^/]+)$/, run: (db, { sku }) => {
    const row = db.get('SELECT * FROM sku WHERE sku = ?', sku);
    return row && { ...row, product: productOf(db, row.product) };
  } },
  { open: true, method: 'GET', pattern: /^\/search$/, run: (db, { query }) => search(db, query.get('q') ?? '') },

  { method: 'PATCH', pattern: /^\/products\/(?<slug>[^/]+)$/, run: (db, { slug, body }) => changeProduct(db, slug, body) },
  { method: 'GET', pattern: /^\/changes$/, run: (db, { query }) => changesSince(db, query.get('since')) },
  { method: 'POST', pattern: /^\/sign-in$/, run: (db, { body }) => signIn(db, body) },
  { method: 'POST', pattern: /^\/customers$/, run: (db, { body }) => register(db, body) },
  { method: 'GET', pattern: /^\/customers\/(?<id>\d+)$/, run: (db, { id }) =>
    db.get(`SELECT ${PUBLIC_CUSTOMER} FROM customer WHERE id = ?`, Number(id)) },
  { method: 'PATCH', pattern: /^\/customers\/(?<id>\d+)$/, run: (db, { id, body }) => {
    db.run('UPDATE customer SET name = ?, street = ?, city = ? WHERE id = ?', [body.name, body.street, body.city, Number(id)]);
    return db.get(`SELECT ${PUBLIC_CUSTOMER} FROM customer WHERE id = ?`, Number(id));
  } },
  { method: 'GET', pattern: /^\/customers\/(?<id>\d+)\/orders$/, run: (db, { id }) =>
    db.all('SELECT id, placed_at AS placedAt, total FROM "order" WHERE customer = ? ORDER BY id DESC', Number(id)) },
  { method: 'GET', pattern: /^\/carts\/(?<id>[^/]+)$/, run: (db, { id }) => cartOf(db, id) },
  { method: 'PUT', pattern: /^\/carts\/(?<id>[^/]+)\/lines$/, run: (db, { id, body }) => setLine(db, id, body) },
  { method: 'POST', pattern: /^\/carts\/(?<id>[^/]+)\/take-over$/, run: (db, { id, body }) => takeOver(db, id, body.from) },
  { method: 'POST', pattern: /^\/orders$/, run: (db, { body }) => placeOrder(db, body) },
  { method: 'GET', pattern: /^\/orders\/(?<id>\d+)$/, run: (db, { id }) => orderOf(db, Number(id)) },
];
