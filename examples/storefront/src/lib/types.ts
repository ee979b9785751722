// What the back office sends. Prices are in cents.
export interface ProductCard {
  slug: string;
  category: string;
  name: string;
  tagline: string;
  price: number;
  stock: number;
}

export interface Sku {
  sku: string;
  finish: string;
  size: string;
  surcharge: number;
}

export interface Product extends ProductCard {
  description: string[];
  specs: [string, string][];
  reviews: { stars: number; author: string; date: string; text: string }[];
  questions: { question: string; answer: string }[];
  replacedBy: string | null;
  skus: Sku[];
  related: ProductCard[];
}

export interface SkuSheet extends Sku {
  product: Product;
}

export interface Category {
  slug: string;
  name: string;
  blurb: string;
  count: number;
}

export interface CategoryWithProducts extends Omit<Category, 'count'> {
  products: ProductCard[];
}

export interface Customer {
  id: number;
  email: string;
  name: string;
  city: string;
  street: string;
  admin: number;
}

export interface CartLine {
  sku: string;
  slug: string;
  name: string;
  finish: string;
  size: string;
  quantity: number;
  price: number;
}

export interface Cart {
  id: string;
  lines: CartLine[];
  count: number;
  total: number;
}

export interface OrderSummary {
  id: number;
  placedAt: string;
  total: number;
}

export interface Order extends OrderSummary {
  customer: number;
  street: string;
  city: string;
  lines: { sku: string; name: string; quantity: number; price: number }[];
}
