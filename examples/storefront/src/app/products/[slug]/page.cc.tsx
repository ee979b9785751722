import type { Metadata } from 'next';
import { cacheLife, cacheTag } from 'next/cache';
import { notFound, permanentRedirect } from 'next/navigation';
import { Suspense, type ReactNode } from 'react';
import { Delivery, PersonalDelivery } from '@/components/delivery';
import { ProductView } from '@/components/product-view';
import { getFeatured, getProduct, productTags } from '@/lib/catalogue';

type Props = { params: Promise<{ slug: string }> };

// The page waits for its parameters, outside of any Suspense. The build makes a
// shell of such a route all the same; at run time, when the shell was removed
// with the cache directory, Next.js does so only where this line allows it.
export const instant = false;

/** The featured products are made by the build, the others when asked for. */
export async function generateStaticParams() {
  return (await getFeatured()).map(({ slug }) => ({ slug }));
}

async function headOf(slug: string) {
  'use cache';
  cacheLife('hours');
  cacheTag(...productTags(slug));
  const product = await getProduct(slug);
  return product && { name: product.name, tagline: product.tagline, replacedBy: product.replacedBy };
}

/** The delivery note goes through the cached view without being part of it. */
async function CachedView({ slug, delivery }: { slug: string; delivery: ReactNode }) {
  'use cache';
  cacheLife('hours');
  cacheTag(...productTags(slug));
  const product = await getProduct(slug);
  return product && <ProductView product={product} delivery={delivery} />;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const head = await headOf((await params).slug);
  return { title: head?.name, description: head?.tagline };
}

export default async function Page({ params }: Props) {
  const { slug } = await params;
  const head = await headOf(slug);
  if (!head) notFound();
  if (head.replacedBy) permanentRedirect(`/products/${head.replacedBy}`);
  return <CachedView slug={slug} delivery={<Suspense fallback={<Delivery />}><PersonalDelivery /></Suspense>} />;
}
