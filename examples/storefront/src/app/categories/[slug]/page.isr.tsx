import { notFound } from 'next/navigation';
import { CategoryView } from '@/components/category-view';
import { getCategories, getCategory } from '@/lib/catalogue';

export const revalidate = 3600;

export async function generateStaticParams() {
  return (await getCategories()).map(({ slug }) => ({ slug }));
}

export default async function Page({ params }: { params: Promise<{ slug: string }> }) {
  const category = await getCategory((await params).slug);
  if (!category) notFound();
  return <CategoryView category={category} />;
}
