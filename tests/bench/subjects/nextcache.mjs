// The handler under test, with its disk tier in a directory of its own.
import { requireOwn } from '../lib/places.mjs';
import { HandlerCache } from '../lib/handler-cache.mjs';
import { makeDist } from '../lib/dist.mjs';

export const label = 'nextcache';

export async function open({ folder, memoryBytes }) {
  process.env.NEXT_CACHE_DIR = `${folder}/cache`;
  process.env.NEXT_CACHE_MAX_MEMORY_SIZE = String(memoryBytes);
  const serverDistDir = makeDist(folder);
  const Handler = requireOwn('./cache-handler.js');
  const cache = new HandlerCache(() => new Handler({ serverDistDir, revalidatedTags: [], flushToDisk: true }));
  const program = requireOwn('./index.js');
  if (!program.open()) throw new Error('the addon cannot be loaded');
  cache.stats = () => program.stats();
  cache.close = () => program.close();
  return cache;
}
