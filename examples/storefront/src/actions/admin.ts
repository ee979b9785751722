'use server';

import { redirect } from 'next/navigation';
import { send } from '@/lib/backend';
import { getCustomer } from '@/lib/customer';
import { getSession } from '@/lib/session';
import type { ProductCard } from '@/lib/types';
import { invalidateProductCache } from '@/lib/util/cache';

/** A form field in euros, as cents; undefined where it was left empty. */
function cents(value: FormDataEntryValue | null) {
  const euros = Number(value);
  return value === null || value === '' || !(euros >= 0) ? undefined : Math.round(euros * 100);
}

function count(value: FormDataEntryValue | null) {
  const number = Number(value);
  return value === null || value === '' || !Number.isInteger(number) || number < 0 ? undefined : number;
}

export async function changeProduct(form: FormData) {
  const session = await getSession();
  const customer = session?.customer === undefined ? null : await getCustomer(session.customer);
  if (!customer?.admin) redirect('/sign-in');
  const slug = String(form.get('slug') ?? '').trim();
  let product: ProductCard;
  try {
    product = await send<ProductCard>('PATCH', `/products/${encodeURIComponent(slug)}`, { price: cents(form.get('price')), stock: count(form.get('stock')) });
  } catch (error) {
    redirect(`/admin?problem=${encodeURIComponent(`${slug}: ${(error as Error).message}`)}`);
  }
  await invalidateProductCache('changed by the admin', product.slug);
  redirect(`/admin?slug=${product.slug}`);
}
