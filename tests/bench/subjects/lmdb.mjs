// The lmdb package with its own encoding (MessagePack). It does not flush a
// commit, as our entries and Next's files are not flushed.
import { requirePeer } from '../lib/places.mjs';

export const label = 'lmdb';

export async function open({ folder }) {
  const { open: openStore } = requirePeer('lmdb');
  const store = openStore({ path: `${folder}/store`, noSync: true, mapSize: 8 * 2 ** 30 });
  return {
    get: ({ key }) => store.get(key),
    set: ({ key, value }) => store.put(key, value),
    valueOf: (value) => value,
    close: () => store.close(),
  };
}
