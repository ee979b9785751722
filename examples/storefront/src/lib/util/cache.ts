// Invalidation, in the words of the shop. Each helper says why, and works in a
// server action (the visitor sees the change at once), in a route handler, and
// outside of any request (jobs, instrumentation); in all three it holds for
// every process that shares the cache directory.
import { createInvalidation } from 'nextcache/invalidation';
import { getSession } from '../session';

/** The visitor's own session; null outside a request, where there is none. */
async function visitor() {
  try {
    return await getSession();
  } catch {
    return null;
  }
}

/** The tag of one thing, or of all of its kind. */
const tagOf = (kind: string, id?: string | number) => (id === undefined ? kind : `${kind}:${id}`);

export const { invalidateCustomerCache, invalidateCartCache, invalidateOrderCache, invalidateProductCache } =
  createInvalidation({
    /** A customer's data changed: the one named, else the visitor, else all. */
    customer: async (id?: number) => tagOf('customer', id ?? (await visitor())?.customer),
    /** A cart changed: the one named, else the visitor's, else all. */
    cart: async (id?: string) => tagOf('cart', id ?? (await visitor())?.cart),
    /** Orders changed: those of the customer named, else the visitor's, else all. */
    order: async (customer?: number) => tagOf('orders', customer ?? (await visitor())?.customer),
    /** A product's price, stock or text changed; without a slug, all may have. */
    product: (slug?: string) => (slug === undefined ? 'products' : [`product:${slug}`, 'product-lists']),
  });
