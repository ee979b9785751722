// The handler under test with its shared tier. Each process is another machine: its
// directory is its own and empty.
import { requireOwn, requirePeer } from '../lib/places.mjs';
import { HandlerCache } from '../lib/handler-cache.mjs';
import { makeDist } from '../lib/dist.mjs';
import { sleep } from '../lib/timing.mjs';

export const label = 'nextcache (Redis)';
export const needsRedis = true;

export async function open({ folder, memoryBytes, redisUrl }) {
  const serverDistDir = makeDist(folder);
  const Handler = requireOwn('./cache-handler.js');
  const program = requireOwn('./index.js');
  const { Redis } = requirePeer('iovalkey');
  const client = new Redis(redisUrl, { lazyConnect: true });
  program.configure({ dir: `${folder}/cache-${process.pid}`, maxMemorySize: memoryBytes, remote: { client, getMs: 1000, connectMs: 2000 } });
  const { theEngine } = requireOwn('./lib/engine.js');
  const cache = new HandlerCache(() => new Handler({ serverDistDir, revalidatedTags: [] }));
  while (theEngine().remoteStats()?.state !== 'ready') await sleep(5);
  /** Puts are sent after the set has resolved. */
  cache.settled = async () => {
    let before;
    for (;;) {
      const { puts, queueBytes, dropped } = theEngine().remoteStats();
      if (dropped > 0) throw new Error('not everything was sent');
      if (puts === before && queueBytes === 0) return;
      before = puts;
      await sleep(5);
    }
  };
  cache.hits = () => theEngine().remoteStats().hits;
  cache.close = () => program.close();
  return cache;
}
