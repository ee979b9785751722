import { cacheLife, cacheTag } from 'next/cache';
import { HomeView } from '@/components/home-view';
import { LIST_TAGS } from '@/lib/catalogue';

export default async function Page() {
  'use cache';
  cacheLife('hours');
  cacheTag(...LIST_TAGS);
  return <HomeView />;
}
