import type { Options } from './index';

/** For instrumentation.ts: opens the cache, lifts what was in use before the start
 * from disk into memory, in the background, and tells of it in one line.
 *  `export { register } from 'nextcache/instrumentation'`
 *
 * A project that gives options in a handler file gives the same here, because
 * this comes first. */
export function register(options?: Options & {
  /** At most so long; 2000. 0 lifts nothing. */
  warmForMs?: number;
}): Promise<void>;
