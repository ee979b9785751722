import { cacheLife, cacheTag } from 'next/cache';
import { notFound } from 'next/navigation';
import { CategoryView } from '@/components/category-view';
import { getCategories, getCategory, LIST_TAGS } from '@/lib/catalogue';

// A page that nobody has asked for yet is waited for, so that it is found or
// not found by its status.
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
