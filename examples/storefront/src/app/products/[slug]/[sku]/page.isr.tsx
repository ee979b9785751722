import { notFound } from 'next/navigation';
import { SkuView } from '@/components/sku-view';
import { getSku } from '@/lib/catalogue';

export const revalidate = 3600;

/** None is made by the build: there are thousands of them. */
export function generateStaticParams() {
  return [];
}

export default async function Page({ params }: { params: Promise<{ slug: string; sku: string }> }) {
  const { slug, sku } = await params;
  const sheet = await getSku(slug, sku);
  if (!sheet) notFound();
  return <SkuView sheet={sheet} />;
}
