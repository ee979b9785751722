// The floor under every handler on Redis: the client that nextcache uses, asked for as
// many bytes and nothing else. What it gives back is no value.
import { requirePeer } from '../lib/places.mjs';
import { contentBytes } from '../lib/entries.mjs';

export const label = 'iovalkey, bytes alone (Redis)';
export const needsRedis = true;

export async function open({ redisUrl }) {
  const { Redis } = requirePeer('iovalkey');
  const client = new Redis(redisUrl);
  return {
    get: ({ key }) => client.getBuffer(`bare:${key}`),
    set: (entry) => client.set(`bare:${entry.key}`, Buffer.alloc(contentBytes(entry), 'x')),
    valueOf: (answer) => answer,
    wanted: () => ({}),
    close: () => client.disconnect(),
  };
}
