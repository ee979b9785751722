import { hasShopKey } from '@/lib/shop-key';
import { invalidateCartCache, invalidateCustomerCache, invalidateOrderCache, invalidateProductCache } from '@/lib/util/cache';

/** The back office says what it changed: {"product": slug}, {"customer": id},
 *  {"orders": id} or {"cart": id}. */
export async function POST(request: Request) {
  if (!hasShopKey(request)) return new Response('forbidden', { status: 403 });
  const change = await request.json();
  const reason = 'changed in the back office';
  const setting =
    change.product !== undefined ? await invalidateProductCache(reason, String(change.product))
    : change.customer !== undefined ? await invalidateCustomerCache(reason, Number(change.customer))
    : change.orders !== undefined ? await invalidateOrderCache(reason, Number(change.orders))
    : change.cart !== undefined ? await invalidateCartCache(reason, String(change.cart))
    : null;
  if (!setting) return Response.json({ error: 'nothing that could have changed' }, { status: 400 });
  return Response.json({ setting });
}
