import { cacheLife, cacheTag } from 'next/cache';

/** When this was made. */
export async function stamp() {
  'use cache';
  cacheTag('stamp');
  cacheLife('max');
  return Date.now();
}
