export { GET } from 'nextcache/metrics';
