// The lru-cache package: objects in the JavaScript heap, bounded by our count
// of their bytes. The least that a cache inside one process can cost.
import { contentBytes } from '../lib/entries.mjs';
import { requirePeer } from '../lib/places.mjs';

export const label = 'lru-cache';

export async function open({ memoryBytes }) {
  const { LRUCache } = requirePeer('lru-cache');
  const cache = new LRUCache({ maxSize: memoryBytes });
  return {
    get: ({ key }) => cache.get(key),
    set: (entry) => cache.set(entry.key, entry.value, { size: contentBytes(entry) }),
    valueOf: (value) => value,
    close: () => cache.clear(),
  };
}
