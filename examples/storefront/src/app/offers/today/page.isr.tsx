import { redirect } from 'next/navigation';
import { getFeatured } from '@/lib/catalogue';

export const revalidate = 3600;

export default async function Page() {
  const [offer] = await getFeatured();
  redirect(`/products/${offer.slug}`);
}
