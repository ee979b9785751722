/** A route handler that answers Prometheus; it stays dynamic in every Next.js:
 *  `export { GET } from 'nextcache/metrics'` in app/metrics/route.ts.
 *
 * With NEXT_CACHE_METRICS_TOKEN in the environment it wants
 * `Authorization: Bearer <token>`; without one it answers everybody who reaches it. */
export function GET(request: Request): Promise<Response>;
