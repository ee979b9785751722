// What is called differently in Next.js 15: see use-cache-15.
export { cacheLife, cacheTag, updateTag } from 'next/cache';

/** The React of Next.js 15 cannot read what it writes of a stream of bytes. */
export const readsByteStreams = true;
