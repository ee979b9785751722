// What is called differently in Next.js 15: see use-cache-15.
export { cacheLife, cacheTag, updateTag } from 'next/cache';
