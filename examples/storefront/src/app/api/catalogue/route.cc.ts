import { cacheLife, cacheTag } from 'next/cache';
import { getProducts, LIST_TAGS } from '@/lib/catalogue';

async function catalogue() {
  'use cache';
  cacheLife('hours');
  cacheTag(...LIST_TAGS);
  return { madeAt: Date.now(), products: await getProducts() };
}

/** The whole assortment as JSON, for price comparison sites. */
export async function GET() {
  return Response.json(await catalogue());
}
