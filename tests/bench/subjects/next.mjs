// Next's own cache for pages and fetches: an LRU in memory over files.
import { requirePeer } from '../lib/places.mjs';
import { HandlerCache } from '../lib/handler-cache.mjs';
import { makeDist } from '../lib/dist.mjs';

export const label = 'Next.js';

export async function open({ folder, memoryBytes }) {
  const serverDistDir = makeDist(folder);
  const FileSystemCache = requirePeer('next/dist/server/lib/incremental-cache/file-system-cache').default;
  const { nodeFs } = requirePeer('next/dist/server/lib/node-fs-methods');
  const context = { fs: nodeFs, dev: false, flushToDisk: true, serverDistDir, revalidatedTags: [], maxMemoryCacheSize: memoryBytes };
  return new HandlerCache(() => new FileSystemCache(context));
}
