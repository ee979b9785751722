CREATE TABLE category (
  slug TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  blurb TEXT NOT NULL
);
CREATE TABLE product (
  slug TEXT PRIMARY KEY,
  category TEXT NOT NULL REFERENCES category(slug),
  name TEXT NOT NULL,
  tagline TEXT NOT NULL,
  price INTEGER NOT NULL,          -- cents
  stock INTEGER NOT NULL,
  featured INTEGER NOT NULL,
  replaced_by TEXT,                -- a discontinued product names its successor
  detail TEXT NOT NULL             -- JSON: description, specs, reviews, questions
);
CREATE INDEX product_category ON product(category);
CREATE TABLE sku (
  sku TEXT PRIMARY KEY,
  product TEXT NOT NULL REFERENCES product(slug),
  finish TEXT NOT NULL,
  size TEXT NOT NULL,
  surcharge INTEGER NOT NULL       -- cents on top of the product's price
);
CREATE INDEX sku_product ON sku(product);
CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  city TEXT NOT NULL,
  street TEXT NOT NULL,
  admin INTEGER NOT NULL DEFAULT 0,
  salt TEXT NOT NULL,
  password TEXT NOT NULL           -- scrypt of the password with the salt, hex
);
CREATE TABLE cart_line (
  cart TEXT NOT NULL,
  sku TEXT NOT NULL REFERENCES sku(sku),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (cart, sku)
);
CREATE TABLE "order" (
  id INTEGER PRIMARY KEY,
  customer INTEGER NOT NULL REFERENCES customer(id),
  placed_at TEXT NOT NULL,
  total INTEGER NOT NULL,
  street TEXT NOT NULL,
  city TEXT NOT NULL
);
CREATE INDEX order_customer ON "order"(customer);
CREATE TABLE order_line (
  "order" INTEGER NOT NULL REFERENCES "order"(id),
  sku TEXT NOT NULL,
  name TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  price INTEGER NOT NULL
);
-- What changed in the catalogue, in order: the shop asks for what is new.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  product TEXT NOT NULL
);
