/* nextcache.h - a two-tier cache with tags, lifetimes and persistence.
 *
 * A memory tier and a disk tier behind four verbs: get, put, mark a tag, ask
 * about tags. Any number of processes may open the same directory; a mark, a
 * put or a remove that returned is seen by every later get in all of them.
 *
 * Caveats, before anything else
 *  - Results are ints: 0 is plain success, > 0 success with a remark, < 0 an
 *    error; below, the NXC_ of their names is left out. A disk that is full,
 *    read-only, on a network file system or broken is not an error: the cache
 *    goes on in memory, counts it, and tells `on_error` once. What cannot be
 *    proven intact is a miss.
 *  - Times are wall-clock milliseconds since 1970 (`_ms`) or durations in
 *    milliseconds; sizes are bytes; 1 MB is 2^20 bytes.
 *  - Calls on one handle may be made from any thread at any time, except
 *    nxc_close(), which must be the last; a thread is cancelled in none of them.
 *    After fork() a child may only close an inherited handle; everything else
 *    answers NXC_E_FORKED and does nothing.
 *  - Each call says whether it blocks. "May block" waits for the disk; "never
 *    blocks" waits for nothing but short locks; it may look at the directory,
 *    which is one stat, and opens it anew where it was replaced. In an event
 *    loop use nextcache_uv.h, which has the calls that block with callbacks.
 *  - What is handed in is read during the call and is the caller's afterwards;
 *    what is kept of it is a copy. What is handed out says whose it is. Unless it
 *    says so, a pointer may not be NULL; a cache of NULL is NXC_E_INVALID.
 */
#ifndef NEXTCACHE_H
#define NEXTCACHE_H

#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Of this header; nxc_version() is that of the library. */
#define NXC_VERSION_MAJOR 0 /* in the SONAME                                */
#define NXC_VERSION_MINOR 1 /* in the SONAME before 1.0                     */
#define NXC_VERSION_PATCH 0 /* changes nothing that a program can rely on   */
#if defined(NXC_STATIC)
#define NXC_EXTERN
#else
/* What the shared library exports. */
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
  X(E_FORMAT, -6, "not intact, or nothing of ours")                        \
  X(E_NEWER, -7, "made by a newer release, in a format of its own")

typedef enum nxc_result {
#define NXC__X(name, value, text) NXC_##name = (value),
  NXC_RESULTS(NXC__X)
#undef NXC__X
} nxc_result;

/* The text of a result.
 * @param result  any number
 * @return static text, never NULL. Any thread, never blocks. */
NXC_EXTERN const char *nxc_strerror(int result);

/* The version of the library, which may be a later one than that of the header.
 * @return "major.minor.patch": static text, never NULL. Any thread, never blocks. */
NXC_EXTERN const char *nxc_version(void);

/* ---- opening ------------------------------------------------------------ */

#define NXC_NEVER INT64_MAX  /* a duration without end              */
#define NXC_ADOPT UINT64_MAX /* the bound that the directory has    */

typedef struct nxc_cache nxc_cache; /* a handle: thread-safe, opaque */
typedef struct nxc_entry nxc_entry; /* immutable, reference-counted  */

/* Bytes that belong to somebody else. */
typedef struct nxc_slice {
  const void *data; /* may be NULL when size is 0; need not end in NUL */
  size_t size;      /* in bytes                                        */
} nxc_slice;

/* What a cache is opened with; filled by nxc_options_init(), then changed. */
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
  void *on_error_arg;           /* handed to it                                      */
  int64_t (*now_ms)(void *arg); /* wall clock; NULL: CLOCK_REALTIME. That of the     */
  void *now_arg;                /* directory's first handle holds, and outlives all  */
} nxc_options;

/* Sets the defaults: no directory, 50 MB of memory, no item limit, 1 GB of disk.
 * @param options  filled. Any thread, never blocks. */
NXC_EXTERN void nxc_options_init(nxc_options *options);

/* Opens a cache. Several handles of one directory in one process share one engine; the
 * first one's memory budget holds until nxc_set_memory(). An unusable directory gives a
 * cache that lives in memory and tries the directory again every few seconds.
 * @param out      the handle, to be closed with nxc_close(); set on OK
 * @param options  copied, `dir` too
 * @return OK; E_INVALID: wrong options; E_NOMEM.
 * Any thread, may block; the cost does not depend on what is stored. */
NXC_EXTERN int nxc_open(nxc_cache **out, const nxc_options *options);

/* Closes a handle; no other call on it may be under way, or come. Entries that are still
 * referenced stay valid.
 * @param cache  NULL is allowed. Any thread, may block. */
NXC_EXTERN void nxc_close(nxc_cache *cache);

/* Sets new bounds for the memory tier, obeyed at once, for all handles of the directory.
 * @param cache  the cache
 * @param bytes  the budget; 0: no memory tier
 * @param items  most entries; 0: no limit
 * @return OK; E_INVALID; E_FORKED. Any thread, never blocks. */
NXC_EXTERN int nxc_set_memory(nxc_cache *cache, uint64_t bytes, uint64_t items);

/* ---- putting ------------------------------------------------------------ */

/* The birth of content: to be asked for before the work that makes it begins. A tag
 * marked after that invalidates it, however late it is put.
 * @param cache  the cache
 * @return at most 2^53, only to be handed back; 0: no cache, or an inherited one.
 * Any thread, never blocks. */
NXC_EXTERN uint64_t nxc_birth(nxc_cache *cache);

/* What is stored under a key. */
typedef struct nxc_record {
  nxc_slice key;          /* any bytes                                       */
  unsigned class_id;      /* 0-15, the host's own meaning; for counting      */
  uint64_t birth;         /* of nxc_birth(); 0: born at this call            */
  int64_t created_ms;     /* wall time its age counts from; 0: now           */
  int64_t revalidate_ms;  /* stale above this age; NXC_NEVER                 */
  int64_t expire_ms;      /* dead from this age; NXC_NEVER                   */
  const nxc_slice *tags;  /* marks of these invalidate the entry             */
  size_t tag_count;       /* at most 65535                                   */
  nxc_slice meta;         /* the host's own description of the parts         */
  const nxc_slice *parts; /* the content                                    */
  size_t part_count;      /* at most 65535                                  */
} nxc_record;

/* Stores a copy of the record under its key, in memory and on disk, replacing what was
 * there. When it returns, every process sees it and it survives kill -9. What is not
 * stored does not leave the old version behind: see each result.
 * @param cache   the cache
 * @param record  copied
 * @return OK; MEMORY_ONLY: kept in this process alone, because there is no disk tier, it
 * is too large for it, or there is no room; SUPERSEDED: a later put or remove of the key
 * holds; BORN_DEAD: a tag was marked after its birth, or it has expired, and the old version
 * is gone too; E_TOO_LARGE, E_NOMEM: not stored, the old version is gone; E_IO: not stored,
 * and the old version is gone where others could be told; E_INVALID, E_FORKED: nothing
 * was done. Any thread, may block. */
NXC_EXTERN int nxc_put(nxc_cache *cache, const nxc_record *record);

/* The first of two steps that do the same without a copy: an entry to be filled. A part
 * whose data is NULL (and size is not 0) is left blank, for nxc_entry_blank().
 * @param cache   the cache that it will be put into
 * @param record  copied, but for what is blank
 * @param out     the caller's reference, set on OK
 * @return OK; E_INVALID; E_NOMEM; E_TOO_LARGE: over 4 GB; E_FORKED. Nothing is stored or
 * removed. Any thread, never blocks. */
NXC_EXTERN int nxc_entry_create(nxc_cache *cache, const nxc_record *record, nxc_entry **out);

/* Where a part is to be written, before the entry is put or shared.
 * @param entry  of nxc_entry_create()
 * @param part   its number, from 0
 * @return as many bytes as the record said, which live as long as the reference; NULL: no
 * such part. The thread that created it, never blocks. */
NXC_EXTERN void *nxc_entry_blank(nxc_entry *entry, size_t part);

/* The second step: stores an entry, which is immutable from then on.
 * @param cache  the cache
 * @param entry  the caller keeps its reference
 * @return as nxc_put(), E_NOMEM aside. Any thread, may block. */
NXC_EXTERN int nxc_put_entry(nxc_cache *cache, nxc_entry *entry);

/* Removes a key from all tiers for all processes.
 * @param cache  the cache
 * @param key    any bytes
 * @return OK, also where there was nothing; E_IO: gone here, but other processes could
 * not be told; E_INVALID; E_FORKED. Any thread, may block. */
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

/* What is looked for. */
typedef struct nxc_query {
  nxc_slice key;     /* any bytes                                            */
  unsigned class_id; /* 0-15: the class the look-up is counted under         */
  /* Further tags to judge by in this look-up alone; they are not stored. */
  const nxc_slice *soft_tags;
  size_t soft_tag_count; /* any number                                       */
} nxc_query;

/* What was found. */
typedef struct nxc_found {
  nxc_entry *entry;   /* NULL on a miss; else the caller's own reference    */
  nxc_why why;        /* why it is stale, or a miss                         */
  int in_memory;      /* 1: answered by the memory tier                     */
  int64_t dead_at_ms; /* a hit is dead from this wall time; NXC_NEVER       */
  char why_tag[64];   /* NXC_WHY_TAG: the tag, cut to fit, ending in NUL    */
  uint64_t stamp[4];  /* of what is OK, for nxc_uv_unchanged(); 0: none     */
} nxc_found;

/* Looks a key up and judges what is there.
 * @param cache  the cache
 * @param query  what for
 * @param found  filled on OK, STALE and MISS; its entry is the caller's, to be released
 *               with nxc_entry_unref()
 * @return OK: fresh; STALE; MISS; E_INVALID; E_FORKED.
 * Any thread, may block for one disk read. */
NXC_EXTERN int nxc_get(nxc_cache *cache, const nxc_query *query, nxc_found *found);

/* Judges content that is kept elsewhere, and counts nothing.
 * @param cache           the cache
 * @param record          its tags and times; key, meta and parts are not read. A birth of
 *                        0 is unknown: then created_ms is compared with the times of marks
 * @param soft_tags       further tags; NULL when there are none
 * @param soft_tag_count  how many
 * @param found           filled on OK, STALE and MISS; its entry is NULL
 * @return as nxc_get(). Any thread, never blocks. */
NXC_EXTERN int nxc_judge(nxc_cache *cache, const nxc_record *record, const nxc_slice *soft_tags,
                         size_t soft_tag_count, nxc_found *found);

/* One more reference. An entry may be shared between threads, and outlives its cache.
 * @param entry  the entry
 * @return the same entry. Any thread, never blocks. */
NXC_EXTERN nxc_entry *nxc_entry_ref(nxc_entry *entry);

/* Gives a reference up; the last one frees the entry.
 * @param entry  NULL is allowed. Any thread, never blocks. */
NXC_EXTERN void nxc_entry_unref(nxc_entry *entry);

/* A number that no other entry of this process has or had.
 * @param entry  the entry
 * @return that number. Any thread, never blocks. */
NXC_EXTERN uint64_t nxc_entry_id(const nxc_entry *entry);

/* What an entry says of itself.
 * @param entry  the entry
 * @param out    its numbers, key and meta; slices point into the entry and live as long as
 *               the reference. Tags and parts are NULL, their counts are set.
 * Any thread, never blocks. */
NXC_EXTERN void nxc_entry_read(const nxc_entry *entry, nxc_record *out);

/* A tag of an entry.
 * @param entry  the entry
 * @param index  its number, from 0
 * @return it lives as long as the reference; {0, 0}: no such tag. Any thread, never blocks. */
NXC_EXTERN nxc_slice nxc_entry_tag(const nxc_entry *entry, size_t index);

/* A part of an entry, aligned to 8 bytes.
 * @param entry  the entry
 * @param index  its number, from 0
 * @return it lives as long as the reference; {0, 0}: no such part. Any thread, never blocks. */
NXC_EXTERN nxc_slice nxc_entry_part(const nxc_entry *entry, size_t index);

/* The whole record in the one form that it has in memory, on disk and on a wire.
 * @param entry  the entry
 * @return it lives as long as the reference. Any thread, never blocks. */
NXC_EXTERN nxc_slice nxc_entry_bytes(const nxc_entry *entry);

/* An entry from such bytes. Their form is checked, not where they came from.
 * @param bytes  copied
 * @param out    the caller's reference; NULL unless OK
 * @return OK; E_FORMAT; E_NOMEM; E_INVALID. Any thread, never blocks. */
NXC_EXTERN int nxc_entry_parse(nxc_slice bytes, nxc_entry **out);

/* ---- invalidating ------------------------------------------------------- */

/* Marks tags. The cost is the same whatever is stored. When it returns every process
 * obeys, and neither a kill nor a power cut undoes it.
 * @param cache          the cache
 * @param tags           which; read during the call
 * @param tag_count      how many; 0 does nothing
 * @param dead_after_ms  0: what was born before is dead now; else it is stale now, and dead
 *                       after so many milliseconds (NXC_NEVER: stale only)
 * @return OK; E_IO: obeyed here, but not made durable, or others could not be told;
 * E_INVALID; E_FORKED. Any thread, may block for one flush. */
NXC_EXTERN int nxc_mark(nxc_cache *cache, const nxc_slice *tags, size_t tag_count,
                        int64_t dead_after_ms);

/* Empties all tiers for all processes, marks included; nothing from before is believed
 * afterwards.
 * @param cache  the cache
 * @return OK; E_IO: emptied here, but others could not be told; E_NOMEM; E_INVALID;
 * E_FORKED. Any thread, may block. */
NXC_EXTERN int nxc_clear(nxc_cache *cache);

/* ---- watching ----------------------------------------------------------- */

#define NXC_CLASSES 16 /* of records and queries */
/* Counters of this directory over all processes, past ones included, unless
 * marked (here): this process alone. They never fall; what is a state may. */
typedef struct nxc_stats {
  /* By the class of the query, or of the record that was kept. */
  uint64_t memory_hits[NXC_CLASSES]; /* stale ones included                     */
  uint64_t disk_hits[NXC_CLASSES];   /* stale ones included                     */
  uint64_t stale_hits[NXC_CLASSES];  /* of the two above                        */
  uint64_t misses[NXC_CLASSES];      /* look-ups without an answer              */
  uint64_t puts[NXC_CLASSES];        /* that were kept, on disk or in memory    */
  uint64_t removes;                  /* keys                                    */
  uint64_t marks;                    /* tags that were marked                   */
  uint64_t clears;                   /* of everything                           */
  uint64_t dead_by_tag;              /* misses that found an invalidated entry  */
  uint64_t dead_by_age;              /* misses that found an expired entry      */
  uint64_t born_dead;                /* puts not kept, each with its result     */
  uint64_t superseded;               /* ...                                     */
  uint64_t refused;                  /* ...: too large, or neither tier took it */
  uint64_t disk_recycled;            /* segments that began a new round         */
  uint64_t disk_overflow;            /* entries pushed out of a full bucket     */
  uint64_t disk_moved;               /* entries given a second life             */
  uint64_t corrupt;                  /* entries found damaged                   */
  uint64_t disk_errors;              /* reads, writes and flushes that failed   */
  uint64_t floor_raises;             /* old marks had to be forgotten           */
  uint64_t retries;                  /* steps begun anew: others were in the way */
  uint64_t bytes_written;            /* to the ring                             */
  uint64_t bytes_read;               /* from the ring                           */
  uint64_t disk_bytes;               /* a state: of the ring, allocated         */
  uint64_t disk_limit_bytes;         /* a state: its bound                      */
  uint64_t disk_slots;               /* a state: entries it has room for        */
  uint64_t epoch;                    /* the number of the last mark             */
  int disk;                          /* 1: the disk tier works; 0: memory only  */
  uint64_t memory_bytes;             /* (here) a state: of the memory tier      */
  uint64_t memory_limit_bytes;       /* (here) a state: its budget              */
  uint64_t memory_items;             /* (here) a state: entries in it           */
  uint64_t memory_evictions;         /* (here) entries pushed out of it         */
  uint64_t pinned_bytes;             /* (here) a state: of entries, in no tier  */
} nxc_stats;

/* The counters as a struct.
 * @param cache  the cache
 * @param out    filled on OK
 * @return OK; E_INVALID; E_FORKED. Any thread, never blocks. */
NXC_EXTERN int nxc_stats_get(nxc_cache *cache, nxc_stats *out);

/* What is in use of entries that no memory tier of this process has any more, or yet: the
 * bytes that come back when the last references go.
 * @return the bytes. Any thread, never blocks. */
NXC_EXTERN uint64_t nxc_pinned_bytes(void);

/* The same as JSON.
 * @param cache  the cache
 * @return new text, to be freed with free(); NULL: out of memory, no cache, or an
 * inherited one. Any thread, never blocks. */
NXC_EXTERN char *nxc_stats_json(nxc_cache *cache);

#ifdef __cplusplus
}
#endif
#endif /* NEXTCACHE_H */
