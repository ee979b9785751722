import { connection } from 'next/server';
import { getCart, getCustomer } from '@/lib/customer';
import { getSession } from '@/lib/session';

/** Who is asking and what is in the cart, for the header of every page. */
export async function GET() {
  await connection();
  const session = await getSession();
  const customer = session?.customer === undefined ? null : await getCustomer(session.customer);
  const cart = session && (await getCart(session.cart));
  return Response.json(
    { name: customer?.name ?? null, admin: Boolean(customer?.admin), cartCount: cart?.count ?? 0 },
    { headers: { 'cache-control': 'private, no-store' } },
  );
}
