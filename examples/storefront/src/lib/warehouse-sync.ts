// The warehouse changes stock in the back office without telling the shop. So
// every SHOP_SYNC_SECONDS the shop asks what is new; no request is under way
// then, which is the third setting the invalidation helpers work in.
import { freshResource } from './backend';
import { invalidateProductCache } from './util/cache';

interface Changes {
  seq: number;
  products: string[];
}

async function sync(since: number | null): Promise<number | null> {
  const changes = await freshResource<Changes>(since === null ? '/changes' : `/changes?since=${since}`);
  for (const slug of changes?.products ?? []) await invalidateProductCache('changed in the warehouse', slug);
  return changes?.seq ?? since;
}

export function startWarehouseSync() {
  const seconds = Number(process.env.SHOP_SYNC_SECONDS ?? 0);
  if (!(seconds > 0)) return;
  let seen: number | null = null;
  const turn = async () => {
    try {
      seen = await sync(seen);
    } catch (error) {
      console.error(`warehouse sync: ${error instanceof Error ? error.message : error}`);
    }
    setTimeout(turn, seconds * 1000).unref();
  };
  void turn();
}
