'use server';

import { redirect } from 'next/navigation';
import { send } from '@/lib/backend';
import { ensureSession, getSession } from '@/lib/session';
import { invalidateCartCache, invalidateOrderCache, invalidateProductCache } from '@/lib/util/cache';

function quantityOf(form: FormData) {
  const quantity = Number(form.get('quantity') ?? 1);
  return Number.isInteger(quantity) && quantity >= 0 && quantity <= 99 ? quantity : 1;
}

export async function addToCart(form: FormData) {
  const { cart } = await ensureSession();
  await send('PUT', `/carts/${cart}/lines`, { sku: String(form.get('sku')), quantity: quantityOf(form), add: true });
  await invalidateCartCache('an article was added', cart);
  redirect('/cart');
}

export async function changeQuantity(form: FormData) {
  const { cart } = await ensureSession();
  await send('PUT', `/carts/${cart}/lines`, { sku: String(form.get('sku')), quantity: quantityOf(form) });
  await invalidateCartCache('a quantity was changed', cart);
  redirect('/cart');
}

export async function placeOrder() {
  const session = await getSession();
  if (session?.customer === undefined) redirect('/sign-in');
  let order: { id: number; products: string[] };
  try {
    order = await send('POST', '/orders', { customer: session.customer, cart: session.cart });
  } catch (error) {
    redirect(`/cart?problem=${encodeURIComponent((error as Error).message)}`);
  }
  await invalidateCartCache('the cart became an order');
  await invalidateOrderCache('an order was placed');
  for (const slug of order.products) await invalidateProductCache('stock was sold', slug);
  redirect(`/account/orders/${order.id}`);
}
