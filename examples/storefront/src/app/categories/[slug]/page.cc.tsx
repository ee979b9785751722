import { cacheLife, cacheTag } from 'next/cache';
import { notFound } from 'next/navigation';
import { CategoryView } from '@/components/category-view';
import { getCategories, getCategory, LIST_TAGS } from '@/lib/catalogue';

// The page waits for its parameters, outside of any Suspense. The build makes a
// shell of such a route all the same; at run time, when the shell was removed
// with the cache directory, Next.js does so only where this line allows it.
export const instant = false;

export async function generateStaticParams() {
  return (await getCategories()).map(({ slug }) => ({ slug }));
}

async function cachedView(slug: string) {
  'use cache';
  cacheLife('hours');
  cacheTag(...LIST_TAGS);
  const category = await getCategory(slug);
  return category && <CategoryView category={category} />;
}

export default async function Page({ params }: { params: Promise<{ slug: string }> }) {
  const view = await cachedView((await params).slug);
  if (!view) notFound();
  return view;
}
