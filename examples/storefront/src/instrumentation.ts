import { register as warm } from 'nextcache/instrumentation';

/** Runs once when the server starts. */
export async function register() {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return;
  await warm();
  const { startWarehouseSync } = await import('./lib/warehouse-sync');
  startWarehouseSync();
}
