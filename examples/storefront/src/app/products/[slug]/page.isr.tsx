import type { Metadata } from 'next';
import { notFound, permanentRedirect } from 'next/navigation';
import { Delivery } from '@/components/delivery';
import { ProductView } from '@/components/product-view';
import { getFeatured, getProduct } from '@/lib/catalogue';

export const revalidate = 3600;

type Props = { params: Promise<{ slug: string }> };

/** The featured products are made by the build, the others when asked for. */
export async function generateStaticParams() {
  return (await getFeatured()).map(({ slug }) => ({ slug }));
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const product = await getProduct((await params).slug);
  return { title: product?.name, description: product?.tagline };
}

export default async function Page({ params }: Props) {
  const product = await getProduct((await params).slug);
  if (!product) notFound();
  if (product.replacedBy) permanentRedirect(`/products/${product.replacedBy}`);
  return <ProductView product={product} delivery={<Delivery />} />;
}
