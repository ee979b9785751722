import { cacheLife, cacheTag } from 'next/cache';
import { notFound } from 'next/navigation';
import { SkuView } from '@/components/sku-view';
import { getFeatured, getProduct, getSku, productTags } from '@/lib/catalogue';

// The page waits for its parameters, outside of any Suspense. The build makes a
// shell of such a route all the same; at run time, when the shell was removed
// with the cache directory, Next.js does so only where this line allows it.
export const instant = false;

/** One is made by the build, as Next.js needs an example of the route; there
 *  are thousands of them. */
export async function generateStaticParams() {
  const [first] = await getFeatured();
  const product = await getProduct(first.slug);
  return product!.skus.slice(0, 1).map(({ sku }) => ({ slug: first.slug, sku }));
}

async function cachedView(slug: string, sku: string) {
  'use cache';
  cacheLife('hours');
  cacheTag(...productTags(slug));
  const sheet = await getSku(slug, sku);
  return sheet && <SkuView sheet={sheet} />;
}

export default async function Page({ params }: { params: Promise<{ slug: string; sku: string }> }) {
  const { slug, sku } = await params;
  const view = await cachedView(slug, sku);
  if (!view) notFound();
  return view;
}
