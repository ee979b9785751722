import { getProducts } from '@/lib/catalogue';

export const dynamic = 'force-static';
export const revalidate = 3600;

/** The whole assortment as JSON, for price comparison sites. */
export async function GET() {
  return Response.json({ madeAt: Date.now(), products: await getProducts() });
}
