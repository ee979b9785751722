// What belongs to one customer is cached per id: the id is the argument, so it
// is part of the key, and a tag, so that it can be invalidated alone. Nothing
// here reads a cookie: no cached value can depend on who is asking.
import { cacheLife, cacheTag } from 'next/cache';
import { freshResource } from './backend';
import type { Cart, Customer, Order, OrderSummary } from './types';

export async function getCustomer(id: number) {
  'use cache';
  cacheLife('hours');
  cacheTag('customer', `customer:${id}`);
  return freshResource<Customer>(`/customers/${id}`);
}

export async function getCart(id: string) {
  'use cache';
  cacheLife('hours');
  // The lines show prices: a change of any product concerns every cart.
  cacheTag('cart', `cart:${id}`, 'products', 'product-lists');
  const cart = await freshResource<Cart>(`/carts/${encodeURIComponent(id)}`);
  return cart ?? { id, lines: [], count: 0, total: 0 };
}

export async function getOrders(customer: number) {
  'use cache: remote';
  cacheLife('days');
  cacheTag('orders', `orders:${customer}`);
  return (await freshResource<OrderSummary[]>(`/customers/${customer}/orders`)) ?? [];
}

export async function getOrder(customer: number, id: number) {
  'use cache: remote';
  cacheLife('days');
  cacheTag('orders', `orders:${customer}`);
  const order = await freshResource<Order>(`/orders/${id}`);
  // Somebody else's order is as unknown as one that does not exist.
  return order?.customer === customer ? order : null;
}
