/** Runs once when the server starts. */
export async function register() {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return;
  const { startWarehouseSync } = await import('./lib/warehouse-sync');
  startWarehouseSync();
}
