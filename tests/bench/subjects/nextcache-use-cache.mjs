// The handler for 'use cache' under test.
import { requireOwn } from '../lib/places.mjs';
import { UseCache } from '../lib/use-cache.mjs';

export const label = "nextcache 'use cache'";
export const isUseCache = true;

export async function open({ folder, memoryBytes }) {
  process.env.NEXT_CACHE_DIR = `${folder}/cache`;
  process.env.NEXT_CACHE_MAX_MEMORY_SIZE = String(memoryBytes);
  const program = requireOwn('./index.js');
  if (!program.open()) throw new Error('the addon cannot be loaded');
  const cache = new UseCache(requireOwn('./use-cache-handler.js'));
  cache.close = () => program.close();
  return cache;
}
