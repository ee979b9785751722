import { open, stats, type Options } from 'nextcache';
import CacheHandler from 'nextcache/cache-handler';
import useCache from 'nextcache/use-cache-handler';
import { createInvalidation } from 'nextcache/invalidation';
import { GET } from 'nextcache/metrics';
import { register } from 'nextcache/instrumentation';
import { withDirectHandler } from 'nextcache/next-config';

const options: Options = { maxMemorySize: '64MB', engine: 'nextcache' };
const opened: boolean = open(options);
// @ts-expect-error: no such engine
open({ engine: 'redis' });
export class Mine extends CacheHandler {}
export const expiration: Promise<number> = useCache.getExpiration(['tag']);
export const config: (phase: string, context: { defaultConfig: object }) => Promise<{ cacheHandler: string }> =
  withDirectHandler({ cacheHandler: '/handler.js' });
export const made: (phase: string, context: { defaultConfig: object }) => Promise<{ trailingSlash: boolean }> =
  withDirectHandler(async (phase, context: { defaultConfig: object }) => ({ trailingSlash: phase !== '' && 'a' in context.defaultConfig }));
export { createInvalidation, GET, opened, register, stats };
