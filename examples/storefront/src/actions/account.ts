'use server';

import { redirect } from 'next/navigation';
import { send } from '@/lib/backend';
import { endSession, ensureSession, getSession, setSession } from '@/lib/session';
import type { Customer } from '@/lib/types';
import { invalidateCartCache, invalidateCustomerCache } from '@/lib/util/cache';

const text = (form: FormData, name: string) => String(form.get(name) ?? '').trim();

/** The visitor becomes this customer and keeps what is in the cart. */
async function welcome(customer: Customer) {
  const { cart: guestCart, customer: before } = await ensureSession();
  const cart = `customer-${customer.id}`;
  if (before === undefined) {
    await send('POST', `/carts/${cart}/take-over`, { from: guestCart });
    await invalidateCartCache('the guest signed in', guestCart);
  }
  await invalidateCartCache('signed in', cart);
  await setSession({ cart, customer: customer.id });
}

export async function signIn(form: FormData) {
  let customer: Customer;
  try {
    customer = await send<Customer>('POST', '/sign-in', { email: text(form, 'email'), password: String(form.get('password') ?? '') });
  } catch (error) {
    redirect(`/sign-in?problem=${encodeURIComponent((error as Error).message)}`);
  }
  await welcome(customer);
  redirect(customer.admin ? '/admin' : '/account');
}

export async function register(form: FormData) {
  let customer: Customer;
  try {
    customer = await send<Customer>('POST', '/customers', {
      name: text(form, 'name'), email: text(form, 'email'), password: String(form.get('password') ?? ''),
      street: text(form, 'street'), city: text(form, 'city'),
    });
  } catch (error) {
    redirect(`/sign-in?problem=${encodeURIComponent((error as Error).message)}`);
  }
  await welcome(customer);
  redirect('/account');
}

export async function signOut() {
  await endSession();
  redirect('/');
}

export async function updateAccount(form: FormData) {
  const session = await getSession();
  if (session?.customer === undefined) redirect('/sign-in');
  await send('PATCH', `/customers/${session.customer}`, { name: text(form, 'name'), street: text(form, 'street'), city: text(form, 'city') });
  await invalidateCustomerCache('the customer changed the account');
  redirect('/account');
}
