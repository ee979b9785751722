import type { Durations, Options } from './index';

/** The class for `cacheHandler` in next.config:
 *  `cacheHandler: require.resolve('nextcache/cache-handler')`.
 *
 * With options in code, a file of the project's own stands in its place:
 *  `module.exports = require('nextcache/cache-handler').with({ maxItemsNumber: 10000 })` */
declare class CacheHandler {
  static with(options: Options): typeof CacheHandler;
  constructor(context?: object);
  get(key: string, context?: object): Promise<{ value: unknown; lastModified: number; cacheControl?: object } | null>;
  set(key: string, value: unknown, context?: object): Promise<void>;
  revalidateTag(tags: string | string[], durations?: Durations): Promise<void>;
  resetRequestCache(): void;
}

export = CacheHandler;
