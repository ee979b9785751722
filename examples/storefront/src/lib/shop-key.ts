import { timingSafeEqual } from 'node:crypto';

/** Whether a request comes from our own back office or operators. */
export function hasShopKey(request: Request) {
  const given = Buffer.from(request.headers.get('x-shop-key') ?? '');
  const right = Buffer.from(process.env.SHOP_API_KEY ?? '');
  return right.length > 0 && given.length === right.length && timingSafeEqual(given, right);
}
