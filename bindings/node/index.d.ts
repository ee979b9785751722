/** nextcache for programs: jobs, admin routes, metrics. All of it works on the
 * same cache as the handlers of the process, inside and outside of a request. */

/** A number of bytes, or text such as "64MB" (1 MB = 2^20 bytes). */
export type Size = number | string;

/** Options in code. They are stronger than the environment, which is stronger
 * than Next's own `cacheMaxMemorySize`. A wrong value is told once, naming what
 * would be right, and the next weaker source counts. */
export interface Options {
  /** Cache directory; `.cache/nextcache` below the project's root (the directory
   * of `server.js` or `package.json`). Environment: NEXT_CACHE_DIR. */
  dir?: string;
  /** Budget of the memory tier, 50MB; 0 turns it off. NEXT_CACHE_MAX_MEMORY_SIZE. */
  maxMemorySize?: Size;
  /** Bound of the disk tier, 1GB, at least 8MB; 0 turns it off. NEXT_CACHE_MAX_DISK_SIZE. */
  maxDiskSize?: Size;
  /** Most entries in the memory tier; 0, the default, is no limit. NEXT_CACHE_MAX_ITEMS. */
  maxItemsNumber?: number;
  /** Names of response headers that are not stored with pages, route handlers and
   * fetches; `*` stands for any text. NEXT_CACHE_DROP_HEADERS. */
  dropHeaders?: (string | RegExp)[] | string;
  /** URLs whose fetches are not stored; `*` stands for any text. For unstable_cache
   * the URL is `unstable_cache <path> <key>`. NEXT_CACHE_NEVER_STORE. */
  neverStore?: (string | RegExp)[] | string;
  /** A Valkey or Redis that machines share: a URL, a client of iovalkey, ioredis or redis
   * (a pattern: duplicates of it are used), or either with more. NEXT_CACHE_VALKEY_URL. */
  remote?: string | RemoteClient | RemoteOptions;
  /** "next" hands over to Next's own cache, without a rebuild. NEXT_CACHE_ENGINE. */
  engine?: 'nextcache' | 'next';
}

/** A client of iovalkey, ioredis or redis (node-redis 4 and 5), or of a cluster. */
export interface RemoteClient {
  duplicate(...args: any[]): unknown;
  sendCommand(...args: any[]): unknown;
}

/** How machines share a cache; all but the first two may also stand in the URL's query. */
export interface RemoteOptions {
  url?: string;
  client?: RemoteClient;
  /** Of all keys, "nextcache". */
  prefix?: string;
  /** Looks into the log of invalidations before every get. */
  strict?: boolean;
  /** Whether `next build` connects. */
  build?: boolean;
  /** How long what cannot be looked up may be served, 60. */
  unsureSeconds?: number;
  /** Deadlines, 200 and 50. */
  connectMs?: number;
  getMs?: number;
  /** Larger entries stay on their machine, 4MB. */
  maxEntrySize?: Size;
  /** The longest expiry of a key, 14 days. */
  maxTtlSeconds?: number;
}

/** What a tag's entries are from now on: dead without durations; with them stale,
 * and dead after `expire` seconds (undefined: never). */
export interface Durations {
  expire?: number;
}

/** Options for every later use in this process. The memory budget and the item
 * limit may change at any time, the others only before the first use. */
export function configure(options: Options): void;

/** Opens the cache, if it is not open yet. False where there is none: the addon
 * cannot be loaded, or the engine is "next". */
export function open(options?: Options): boolean;

/** Closes the cache of this process; the next use opens it again. */
export function close(): void;

/** Invalidates everything that carries one of the tags, in every process that
 * shares the directory. Resolves when neither a kill nor a power cut undoes it. With
 * `remote`, on all machines; rejects with the code NEXTCACHE_NOT_GLOBAL when it is in
 * force on this one alone, and kept to be sent later. */
export function revalidateTag(tags: string | Iterable<string>, durations?: Durations): Promise<void>;

/** Invalidates what was rendered or fetched for a path, like Next's function. */
export function revalidatePath(path: string, type?: 'page' | 'layout'): Promise<void>;

/** Removes one entry, by the key that the core has for it. */
export function remove(key: string): Promise<void>;

/** Empties the cache for all processes. */
export function clear(): Promise<void>;

/** Numbers by the class of an entry. */
export interface ByClass {
  other: number;
  pages: number;
  routes: number;
  fetches: number;
  useCache: number;
  images: number;
}

/** Counters over all processes of the directory, past ones included; those
 * marked (here) are of this process. They never fall. */
export interface Stats {
  memoryHits: ByClass;
  diskHits: ByClass;
  staleHits: ByClass;
  misses: ByClass;
  puts: ByClass;
  removes: number;
  marks: number;
  clears: number;
  deadByTag: number;
  deadByAge: number;
  bornDead: number;
  superseded: number;
  refused: number;
  memoryEvictions: number;
  diskRecycled: number;
  diskOverflow: number;
  diskMoved: number;
  corrupt: number;
  diskErrors: number;
  floorRaises: number;
  retries: number;
  bytesWritten: number;
  bytesRead: number;
  /** (here) */
  memoryBytes: number;
  /** (here) */
  memoryLimitBytes: number;
  /** (here) */
  memoryItems: number;
  /** (here) Bytes of entries that are referenced, but no longer in the tier. */
  pinnedBytes: number;
  /** (here) Bytes that JavaScript strings and Buffers share with entries. */
  externalBytes: number;
  diskBytes: number;
  diskLimitBytes: number;
  diskSlots: number;
  epoch: number;
  /** Whether the disk tier works. */
  disk: boolean;
  /** (here) The tier that machines share; null where there is none. */
  remote: RemoteStats | null;
}

/** How the tier that machines share is for this process, and what has been counted since
 * its cache was opened. */
export interface RemoteStats {
  /** `down`: the log of invalidations is not followed; `open`: the server is not asked for a while. */
  state: 'ready' | 'down' | 'open';
  /** Why it is not ready. */
  problem?: string;
  /** The entry of the log up to which every invalidation is in force here. */
  position: string;
  /** How long ago the log was surely read to its end. */
  unsureMs: number;
  /** Whether the log had more when it was looked at last. */
  behind: boolean;
  /** Of the last 1000 look-ups. */
  latencyP50Ms: number;
  latencyP99Ms: number;
  breakerOpen: boolean;
  breakerOpenings: number;
  gets: number;
  hits: number;
  misses: number;
  /** Look-ups without an answer, of which so many took too long. */
  failures: number;
  deadlines: number;
  /** Values that were not intact. */
  refused: number;
  /** Values that are older than what is known of invalidations. */
  tooOld: number;
  puts: number;
  putFailures: number;
  /** Puts that were given up because too many waited. */
  dropped: number;
  /** Of entries, as they are on the wire. */
  bytesIn: number;
  bytesOut: number;
  /** Of puts that wait, or are on their way. */
  queueBytes: number;
  /** Invalidations: sent, read in the log, and not sent yet. */
  sent: number;
  received: number;
  unsent: number;
  /** How often this machine emptied itself, because nothing from before could be believed. */
  clears: number;
}

/** The counters; null where there is no cache. */
export function stats(): Stats | null;

/** The counters as Prometheus text, the same as `nextcache metrics` prints. Where
 * Next's own cache took over, it says so: nextcache_info{engine="next"}. */
export function metrics(): Promise<string>;
