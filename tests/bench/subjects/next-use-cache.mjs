// Next's own handler for 'use cache': an LRU in memory.
import { requirePeer } from '../lib/places.mjs';
import { UseCache } from '../lib/use-cache.mjs';

export const label = "Next.js 'use cache'";
export const isUseCache = true;

export async function open({ memoryBytes }) {
  const { createDefaultCacheHandler } = requirePeer('next/dist/server/lib/cache-handlers/default');
  return new UseCache(createDefaultCacheHandler(memoryBytes));
}
