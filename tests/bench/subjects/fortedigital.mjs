// @fortedigital/nextjs-cache-handler over Redis, as its documentation sets it
// up. Next keys include no build here, as there is one build.
import { requirePeer } from '../lib/places.mjs';
import { HandlerCache } from '../lib/handler-cache.mjs';
import { makeDist } from '../lib/dist.mjs';

export const label = '@fortedigital (Redis)';
export const needsRedis = true;

export async function open({ folder, redisUrl }) {
  const { CacheHandler } = requirePeer('@fortedigital/nextjs-cache-handler');
  const createRedisHandler = requirePeer('@fortedigital/nextjs-cache-handler/redis-strings').default;
  const client = requirePeer('@redis/client').createClient({ url: redisUrl });
  client.on('error', () => {});
  await client.connect();
  CacheHandler.onCreation(() => ({ handlers: [createRedisHandler({ client, keyPrefix: 'forte:', timeoutMs: 60_000 })] }));
  const serverDistDir = makeDist(folder);
  const cache = new HandlerCache(() => new CacheHandler({ serverDistDir, revalidatedTags: [], flushToDisk: false, maxMemoryCacheSize: 0 }));
  cache.close = () => client.close();
  return cache;
}
