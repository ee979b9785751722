import { stats } from 'nextcache';
import { connection } from 'next/server';
import { hasShopKey } from '@/lib/shop-key';

/** The cache's counters, for operators. */
export async function GET(request: Request) {
  // Reading counters looks static to Next.js; without this the build would
  // answer once and for all.
  await connection();
  if (!hasShopKey(request)) return new Response('forbidden', { status: 403 });
  return Response.json({ pid: process.pid, ...stats() });
}
