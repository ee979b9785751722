// The warehouse changes stock in the back office without telling the shop. So
// every SHOP_SYNC_SECONDS the shop asks what is new; no request is under way
// then, which is the third setting the invalidation helpers work in.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freshResource } from './backend';
import { invalidateProductCache } from './util/cache';

interface Changes {
  seq: number;
  products: string[];
}

/** How far the shop has come. It stands beside the cache, as entries live longer than a
 *  process: what changed while none ran is asked for by the next. Without a note, as with a
 *  new cache, it is all that ever changed. */
const note = join(process.env.NEXT_CACHE_DIR ?? '.cache/nextcache', 'warehouse-seen');
const noted = async () => Number(await readFile(note, 'utf8').catch(() => 0)) || 0;

async function sync(since: number): Promise<number> {
  const changes = await freshResource<Changes>(`/changes?since=${since}`);
  if (!changes) return since;
  for (const slug of changes.products) await invalidateProductCache('changed in the warehouse', slug);
  if (changes.seq !== since) await writeFile(note, String(changes.seq)).catch(() => {}); // no disk, no note
  return changes.seq;
}

export function startWarehouseSync() {
  const seconds = Number(process.env.SHOP_SYNC_SECONDS ?? 0);
  if (!(seconds > 0)) return;
  let seen: number | undefined;
  const turn = async () => {
    try {
      seen = await sync(seen ?? await noted());
    } catch (error) {
      console.error(`warehouse sync: ${error instanceof Error ? error.message : error}`);
    }
    setTimeout(turn, seconds * 1000).unref();
  };
  void turn();
}
