export { register } from 'nextcache/instrumentation';
