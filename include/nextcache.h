/* nextcache.h - a two-tier cache with tags, lifetimes and persistence.
 *
 * A memory tier and a disk tier behind four verbs: get, put, mark a tag, ask
 * about tags. Any number of processes may open the same directory; a mark, a
 * put or a remove that returned is seen by every later get in all of them.
 *
 * Caveats, before anything else
 *  - Results are ints: 0 is plain success, > 0 success with a remark, < 0 an
 *    error. A disk that is full, read-only, on a network file system or broken
 *    is not an error: the cache goes on in memory, counts it, and tells
 *    `on_error` once. What cannot be proven intact is a miss.
 *  - Times are wall-clock milliseconds since 1970 (`_ms`) or durations in
 *    milliseconds; sizes are bytes; 1 MB is 2^20 bytes.
 *  - Calls on one handle may be made from any thread at any time, except
 *    nxc_close(), which must be the last. After fork() a child may only close
 *    an inherited handle; everything else answers NXC_E_FORKED.
 *  - Calls that touch the disk say "may block". In an event loop use
 *    nextcache_uv.h, which is the same with callbacks.
 */
#ifndef NEXTCACHE_H
#define NEXTCACHE_H

#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define NXC_VERSION_MAJOR 0
#define NXC_VERSION_MINOR 1
#define NXC_VERSION_PATCH 0
#if defined(NXC_STATIC)
#define NXC_EXTERN
#else
#define NXC_EXTERN __attribute__((visibility("default")))
#endif

/* ---- results ------------------------------------------------------------ */

#define NXC_RESULTS(X)                                                     \
  X(OK, 0, "ok")                                                           \
  X(STALE, 1, "hit, but stale: serve it and refresh it")                   \
  X(MISS, 2, "not in the cache, or no longer valid")                       \
  X(MEMORY_ONLY, 3, "kept in memory only")                                 \
  X(SUPERSEDED, 4, "not kept: a newer version of the key was stored")      \
  X(BORN_DEAD, 5, "not kept: invalidated or expired before it was stored") \
  X(PENDING, 6, "the answer comes through the callback")                   \
  X(E_INVALID, -1, "invalid argument")                                     \
  X(E_NOMEM, -2, "out of memory")                                          \
  X(E_TOO_LARGE, -3, "too large for every tier; the old version is gone")  \
  X(E_IO, -4, "the change could not be made durable or shared")            \
  X(E_FORKED, -5, "handle inherited through fork(); open anew")            \
  X(E_FORMAT, -6, "not intact, or none of ours")                           \
  X(E_NEWER, -7, "made by a newer release, in a format of its own")

typedef enum nxc_result {
#define NXC__X(name, value, text) NXC_##name = (value),
  NXC_RESULTS(NXC__X)
#undef NXC__X
} nxc_result;

/* Text of a result, and "major.minor.patch" of the library; static, never NULL. */
NXC_EXTERN const char *nxc_strerror(int result);
NXC_EXTERN const char *nxc_version(void);

/* ---- opening ------------------------------------------------------------ */

#define NXC_NEVER INT64_MAX  /* a duration without end              */
#define NXC_ADOPT UINT64_MAX /* the bound that the directory has    */

typedef struct nxc_cache nxc_cache; /* a handle: thread-safe, opaque */
typedef struct nxc_entry nxc_entry; /* immutable, reference-counted  */
typedef struct nxc_slice {
  const void *data; /* may be NULL when size is 0; need not end in NUL */
  size_t size;
} nxc_slice;

typedef struct nxc_options {
  size_t struct_size;    /* set by nxc_options_init()                       */
  const char *dir;       /* cache directory, made if missing; NULL: no disk */
  uint64_t memory_bytes; /* budget of the memory tier; 0: no memory tier    */
  uint64_t memory_items; /* most entries in the memory tier; 0: no limit    */
  int memory_lru;        /* 1: evicts by LRU; 0: by 2Q, proof against scans */
  uint64_t disk_bytes;   /* bound of the disk tier, at least 8 MB; 0: none;
                            NXC_ADOPT: for tools, as it is, 1 GB when new   */
  uint32_t tag_rows;     /* marked tags remembered exactly; 0: 65536        */
  /* Told of each cause of trouble at most once a minute, and once when it is over,
   * in one line of text, on any thread; not after nxc_close() returned. It must not
   * open or close. */
  void (*on_error)(void *arg, const char *message);
  void *on_error_arg;
  int64_t (*now_ms)(void *arg); /* wall clock; NULL: CLOCK_REALTIME. That of the  */
  void *now_arg;                /* directory's first handle holds, and outlives all */
} nxc_options;

/* Defaults: no directory, 50 MB of memory, no item limit, 1 GB of disk. */
NXC_EXTERN void nxc_options_init(nxc_options *options);

/* Opens a cache into *out, to be closed with nxc_close(). Several handles of
 * one directory in one process share one engine; the first one's memory
 * budget holds until nxc_set_memory(). An unusable directory gives a cache
 * that lives in memory. NXC_E_INVALID for wrong options, NXC_E_NOMEM.
 * May block; its cost does not depend on what is stored. */
NXC_EXTERN int nxc_open(nxc_cache **out, const nxc_options *options);
/* Closes; NULL is allowed. Entries that are still referenced stay valid. */
NXC_EXTERN void nxc_close(nxc_cache *cache);
/* New bounds for the memory tier, obeyed at once. Never blocks. */
NXC_EXTERN int nxc_set_memory(nxc_cache *cache, uint64_t bytes, uint64_t items);

/* ---- putting ------------------------------------------------------------ */

/* The birth of content is what nxc_birth() said when the work that made it
 * began. A tag marked after that invalidates it, however late it is put.
 * A birth is at most 2^53 and is only to be handed back. Never blocks. */
NXC_EXTERN uint64_t nxc_birth(nxc_cache *cache);

typedef struct nxc_record {
  nxc_slice key;         /* any bytes                                       */
  unsigned class_id;     /* 0-15, the host's own meaning; for counting      */
  uint64_t birth;        /* of nxc_birth(); 0: born at this call            */
  int64_t created_ms;    /* wall time its age counts from; 0: now           */
  int64_t revalidate_ms; /* stale above this age; NXC_NEVER                 */
  int64_t expire_ms;     /* dead from this age; NXC_NEVER                   */
  const nxc_slice *tags; /* marks of these invalidate the entry             */
  size_t tag_count;      /* at most 65535                                   */
  nxc_slice meta;        /* the host's own description of the parts         */
  const nxc_slice *parts;
  size_t part_count; /* at most 65535                                       */
} nxc_record;

/* Stores a copy of the record under its key, in memory and on disk, replacing
 * what was there. When it returns, every process sees it and it survives
 * kill -9. OK, MEMORY_ONLY, SUPERSEDED, BORN_DEAD; when born dead, and on every
 * error but E_INVALID, the old version of the key is gone too. May block. */
NXC_EXTERN int nxc_put(nxc_cache *cache, const nxc_record *record);

/* The same in two steps, without a copy: a part whose data is NULL (and size
 * is not 0) is left blank for nxc_entry_blank() to fill before the put.
 * nxc_put_entry() does not take the caller's reference. */
NXC_EXTERN int nxc_entry_create(nxc_cache *cache, const nxc_record *record, nxc_entry **out);
NXC_EXTERN void *nxc_entry_blank(nxc_entry *entry, size_t part);
NXC_EXTERN int nxc_put_entry(nxc_cache *cache, nxc_entry *entry);

/* Removes a key from all tiers for all processes. OK also where there was
 * nothing; NXC_E_IO when other processes could not be told. May block. */
NXC_EXTERN int nxc_remove(nxc_cache *cache, nxc_slice key);

/* ---- getting ------------------------------------------------------------ */

/* What a verdict rests on. */
typedef enum nxc_why {
  NXC_WHY_NONE = 0, /* fresh                                                */
  NXC_WHY_ABSENT,   /* no entry under this key                              */
  NXC_WHY_TAG,      /* a tag was marked; its text is in why_tag             */
  NXC_WHY_AGE,      /* older than its revalidate (stale) or expire (dead)   */
  NXC_WHY_FUTURE,   /* born or created in the future: not believed          */
  NXC_WHY_FLOOR,    /* older than the oldest mark still remembered          */
  NXC_WHY_CORRUPT,  /* found, but not intact                                */
  NXC_WHY_ERROR     /* the disk answered with an error                      */
} nxc_why;

typedef struct nxc_query {
  nxc_slice key;
  unsigned class_id; /* the class the look-up is counted under             */
  /* Further tags to judge by in this look-up alone; they are not stored. */
  const nxc_slice *soft_tags;
  size_t soft_tag_count;
} nxc_query;

typedef struct nxc_found {
  nxc_entry *entry; /* NULL on a miss; else the caller's own reference      */
  nxc_why why;
  int in_memory;      /* 1: answered by the memory tier                     */
  int64_t dead_at_ms; /* a hit is dead from this wall time; NXC_NEVER       */
  char why_tag[64];   /* NXC_WHY_TAG: the tag, cut to fit, ending in NUL    */
  uint64_t stamp[4];  /* of what is OK, for nxc_uv_unchanged(); 0: none     */
} nxc_found;

/* Looks a key up: OK (fresh), STALE or MISS, with *found filled in all three
 * cases; found->entry is then to be released with nxc_entry_unref(). May
 * block for one disk read. */
NXC_EXTERN int nxc_get(nxc_cache *cache, const nxc_query *query, nxc_found *found);

/* Judges content that is kept elsewhere by the tags and times of `record` (its
 * key, meta and parts are not read) and the further tags. A birth of 0 means
 * unknown: then it is judged by created_ms against the wall time of marks.
 * OK, STALE or MISS; found->entry is NULL. Never blocks. */
NXC_EXTERN int nxc_judge(nxc_cache *cache, const nxc_record *record, const nxc_slice *soft_tags,
                         size_t soft_tag_count, nxc_found *found);

/* An entry is immutable and may be shared between threads. Slices point into
 * it and live as long as the reference; an index out of range gives {0, 0}. */
NXC_EXTERN nxc_entry *nxc_entry_ref(nxc_entry *entry);
NXC_EXTERN void nxc_entry_unref(nxc_entry *entry);        /* NULL is allowed */
NXC_EXTERN uint64_t nxc_entry_id(const nxc_entry *entry); /* no other of this process has it */
/* Fills the numbers, key and meta of *out; tags and parts are NULL, their counts set. */
NXC_EXTERN void nxc_entry_read(const nxc_entry *entry, nxc_record *out);
NXC_EXTERN nxc_slice nxc_entry_tag(const nxc_entry *entry, size_t index);
NXC_EXTERN nxc_slice nxc_entry_part(const nxc_entry *entry, size_t index);
/* The whole record, as it is everywhere, and an entry from such bytes, which are
 * copied and checked (NXC_E_FORMAT). */
NXC_EXTERN nxc_slice nxc_entry_bytes(const nxc_entry *entry);
NXC_EXTERN int nxc_entry_parse(nxc_slice bytes, nxc_entry **out);

/* ---- invalidating ------------------------------------------------------- */

/* Marks tags: every entry born before is dead now (dead_after_ms 0), or stale
 * now and dead after so many milliseconds (NXC_NEVER: stale only). Costs the
 * same whatever is stored. When it returns every process obeys, and neither a
 * kill nor a power cut undoes it. NXC_E_IO: obeyed here, but not made durable.
 * May block for one flush. */
NXC_EXTERN int nxc_mark(nxc_cache *cache, const nxc_slice *tags, size_t tag_count,
                        int64_t dead_after_ms);

/* Empties all tiers for all processes, marks included; nothing from before is
 * believed afterwards. May block. */
NXC_EXTERN int nxc_clear(nxc_cache *cache);

/* ---- watching ----------------------------------------------------------- */

#define NXC_CLASSES 16
/* Counters of this directory over all processes, past ones included, unless
 * marked (here): this process alone. They never fall. */
typedef struct nxc_stats {
  /* By the class of the query, or of the record that was kept. */
  uint64_t memory_hits[NXC_CLASSES]; /* stale ones included */
  uint64_t disk_hits[NXC_CLASSES];
  uint64_t stale_hits[NXC_CLASSES]; /* of the two above */
  uint64_t misses[NXC_CLASSES];
  uint64_t puts[NXC_CLASSES];
  uint64_t removes, marks, clears;
  uint64_t dead_by_tag, dead_by_age;       /* misses that found an entry */
  uint64_t born_dead, superseded, refused; /* puts not kept; refused: too large */
  uint64_t disk_recycled;                  /* segments that began a new round */
  uint64_t disk_overflow, disk_moved;      /* entries pushed out; given a second life */
  uint64_t corrupt, disk_errors, floor_raises, retries; /* retries: others were in the way */
  uint64_t bytes_written, bytes_read, disk_bytes, disk_limit_bytes, disk_slots, epoch;
  int disk; /* 1: the disk tier works; 0: memory only */
  /* (here) */
  uint64_t memory_bytes, memory_limit_bytes, memory_items, memory_evictions;
  uint64_t pinned_bytes; /* referenced, but no longer in the tier */
} nxc_stats;

NXC_EXTERN int nxc_stats_get(nxc_cache *cache, nxc_stats *out);
/* The same as JSON text, to be freed with free(); NULL: out of memory. */
NXC_EXTERN char *nxc_stats_json(nxc_cache *cache);

#ifdef __cplusplus
}
#endif
#endif /* NEXTCACHE_H */
