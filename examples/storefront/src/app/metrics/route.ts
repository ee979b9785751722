// What Prometheus scrapes. NEXT_CACHE_METRICS_TOKEN keeps it from the public.
export { GET } from 'nextcache/metrics';
