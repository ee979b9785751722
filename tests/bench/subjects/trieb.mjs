// @trieb.work/nextjs-turbo-redis-cache, as its documentation sets it up. A key
// that was read is answered from memory for the next ten seconds.
import { requirePeer } from '../lib/places.mjs';
import { HandlerCache } from '../lib/handler-cache.mjs';
import { makeDist } from '../lib/dist.mjs';

export const label = '@trieb.work (Redis)';
export const needsRedis = true;

export async function open({ folder, redisUrl }) {
  const { RedisStringsHandler } = requirePeer('@trieb.work/nextjs-turbo-redis-cache');
  makeDist(folder);
  const handler = new RedisStringsHandler({ redisUrl, keyPrefix: 'trieb:', getTimeoutMs: 60_000, database: 0 });
  return new HandlerCache(() => handler);
}
