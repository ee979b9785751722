import type { Durations, Options } from './index';

interface CacheEntry {
  value: ReadableStream<Uint8Array>;
  tags: string[];
  stale: number;
  timestamp: number;
  expire: number;
  revalidate: number;
}

/** The handler for `cacheHandlers` in next.config:
 *  `cacheHandlers: { default: file, remote: file }` with
 *  `file = require.resolve('nextcache/use-cache-handler')`.
 *
 * With options in code, a file of the project's own stands in its place:
 *  `module.exports = require('nextcache/use-cache-handler').with({ … })` */
declare const handler: {
  with(options: Options): typeof handler;
  get(key: string, softTags?: string[]): Promise<CacheEntry | undefined>;
  set(key: string, pendingEntry: Promise<CacheEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(...tags: (string | string[])[]): Promise<number>;
  updateTags(tags: string[], durations?: Durations): Promise<void>;
  expireTags(...tags: (string | string[])[]): Promise<void>;
};

export = handler;
