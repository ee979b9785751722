import { cacheLife, cacheTag } from 'next/cache';
import { redirect } from 'next/navigation';
import { getFeatured, LIST_TAGS } from '@/lib/catalogue';

async function offer() {
  'use cache';
  cacheLife('hours');
  cacheTag(...LIST_TAGS);
  return (await getFeatured())[0].slug;
}

export default async function Page() {
  redirect(`/products/${await offer()}`);
}
