// Invalidation, in the words of the shop. Each helper says why, and works
// wherever it is called from:
//   in a server action   updateTag: the visitor sees the change at once
//   in a route handler   revalidateTag with {expire: 0}: dead for everybody
//   outside any request  a mark through nextcache itself (jobs, instrumentation)
// In all three it holds for every process that shares the cache directory.
import { revalidateTag, updateTag } from 'next/cache';
import * as nextcache from 'nextcache';
import { getSession } from '../session';

const NOT_AN_ACTION = /^updateTag can only be called from within a Server Action/;
const NOT_A_REQUEST = /^Invariant: static generation store missing/;

export type Setting = 'server action' | 'route handler' | 'outside any request';

function messageOf(error: unknown) {
  return error instanceof Error ? error.message : '';
}

/** Next.js has no way to ask where one is, so each door is tried; an error
 *  that says something else (called while rendering) is the caller's. */
async function invalidate(tags: string[], reason: string): Promise<Setting> {
  const setting = await invalidateTags(tags);
  if (process.env.SHOP_DEBUG_CACHE) console.log(`cache: ${tags.join(', ')} invalidated (${setting}): ${reason}`);
  return setting;
}

async function invalidateTags(tags: string[]): Promise<Setting> {
  try {
    tags.forEach((tag) => updateTag(tag));
    return 'server action';
  } catch (error) {
    if (!NOT_AN_ACTION.test(messageOf(error))) throw error;
  }
  try {
    tags.forEach((tag) => revalidateTag(tag, { expire: 0 }));
    return 'route handler';
  } catch (error) {
    if (!NOT_A_REQUEST.test(messageOf(error))) throw error;
  }
  await nextcache.revalidateTag(tags);
  return 'outside any request';
}

/** The visitor's own session; null outside a request, where there is none. */
async function visitor() {
  try {
    return await getSession();
  } catch {
    return null;
  }
}

/** A customer's data changed: the one named, else the visitor, else all. */
export async function invalidateCustomerCache(reason: string, customer?: number) {
  const id = customer ?? (await visitor())?.customer;
  return invalidate([id === undefined ? 'customer' : `customer:${id}`], reason);
}

/** A cart changed: the one named, else the visitor's, else all. */
export async function invalidateCartCache(reason: string, cart?: string) {
  const id = cart ?? (await visitor())?.cart;
  return invalidate([id === undefined ? 'cart' : `cart:${id}`], reason);
}

/** Orders changed: those of the customer named, else the visitor's, else all. */
export async function invalidateOrderCache(reason: string, customer?: number) {
  const id = customer ?? (await visitor())?.customer;
  return invalidate([id === undefined ? 'orders' : `orders:${id}`], reason);
}

/** A product's price, stock or text changed; without a slug, all may have. */
export async function invalidateProductCache(reason: string, slug?: string) {
  return invalidate(slug === undefined ? ['products'] : [`product:${slug}`, 'product-lists'], reason);
}
