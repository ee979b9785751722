/* index.h - the shared table: header, tag rows, segment words, slots, counters.
 *
 * All processes of a cache directory map the same file. Its words are only ever
 * changed by atomic operations and are hints: a reader believes records, never
 * this table. A cache without a disk has the same table in anonymous memory,
 * without slots. docs/format.md has the layout, docs/threads.md the ordering.
 */
#ifndef NXC_INDEX_H
#define NXC_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "hash.h"
#include "nextcache.h"

typedef _Atomic uint64_t nxc__word;
_Static_assert(sizeof(nxc__word) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "words are lock-free");

/* The format version of this release's cache directories. tests/versions builds the
 * library a second time as the release after it. */
#ifndef NXC__FORMAT
#define NXC__FORMAT 1
#endif
#define NXC__TEXT_OF(number) #number
#define NXC__NAME_OF(number) "v" NXC__TEXT_OF(number)
#define NXC__VERSION_DIR NXC__NAME_OF(NXC__FORMAT) /* of the cache directory */

#define NXC__UNIT 64           /* bytes; records start at a multiple of it */
#define NXC__WAYS 8            /* slots, or tag rows, of a bucket */
#define NXC__CEILING_ROUNDS 64 /* of the ring, flushed ahead of their use */
#define NXC__COUNTER_ROWS 64   /* and one more for the past */
#define NXC__COUNTERS 512      /* words in a row */
#define NXC__LOCK_LIVE 0       /* the byte that every process locks for reading */
#define NXC__LOCK_COUNTERS 1   /* the first of the bytes that own a counter row */
#define NXC__EPOCH_DEAD (UINT64_C(1) << 63)
#define NXC__EPOCH_MAX ((uint64_t)1 << 53) /* above it is damage: births fit a double */
#define NXC__ROW_DYING (UINT64_C(1) << 63)
#define NXC__BOOT_JUMP (UINT64_C(1) << 20)

/* The wall clock of the host. */
typedef struct nxc__clock {
  int64_t (*now_ms)(void *arg);
  void *arg;
} nxc__clock;

static inline int64_t nxc__clock_now(const nxc__clock *clock) {
  return clock->now_ms(clock->arg);
}

/* ---- counters -------------------------------------------------------------- */

/* Names and places of the words of a counter row; places are never reused. */
/* clang-format off */
#define NXC__COUNTERS_LIST(X)                                                \
  X(REMOVES, 0) X(MARKS, 1) X(CLEARS, 2) X(DEAD_BY_TAG, 3) X(DEAD_BY_AGE, 4) \
  X(BORN_DEAD, 5) X(SUPERSEDED, 6) X(REFUSED, 7) X(DISK_RECYCLED, 8)         \
  X(DISK_OVERFLOW, 9) X(DISK_MOVED, 10) X(CORRUPT, 11) X(DISK_ERRORS, 12)    \
  X(FLOOR_RAISES, 13) X(BYTES_WRITTEN, 14) X(BYTES_READ, 15) X(RETRIES, 16)  \
  X(MEMORY_EVICTIONS, 17)                                                    \
  X(MEMORY_HITS, 32) X(DISK_HITS, 48) X(STALE_HITS, 64) X(MISSES, 80) X(PUTS, 96) \
  X(REMOTE, 112) /* and 15 more: those of nxc_remote, in its order */
/* clang-format on */

enum {
#define NXC__X(name, place) NXC__C_##name = (place),
  NXC__COUNTERS_LIST(NXC__X)
#undef NXC__X
};

/* What a live process has now stands from here on in its row: it is no sum, and ends
 * with the process. */
#define NXC__GAUGES 448
enum {
  NXC__G_MEMORY_BYTES = NXC__GAUGES,
  NXC__G_MEMORY_LIMIT,
  NXC__G_MEMORY_ITEMS,
  NXC__G_PINNED,
  NXC__G_REMOTE = 480, /* to the end: nxc_remote, in its order */
};

/* ---- the mapping ----------------------------------------------------------- */

typedef struct nxc__geometry {
  uint64_t bound_bytes;   /* as asked for */
  uint32_t segment_bytes; /* a power of two, 1 to 16 MiB; 0: no disk */
  uint32_t segments;
  uint32_t buckets;     /* of eight slots */
  uint32_t tag_buckets; /* of eight rows */
} nxc__geometry;

typedef struct nxc__tag_bucket {
  nxc__word hash[NXC__WAYS]; /* 0: free; NXC__ROW_DYING: about to be freed */
  nxc__word dead[NXC__WAYS];
  nxc__word stale[NXC__WAYS];
  nxc__word deadline_ms[NXC__WAYS];
  nxc__word dead_wall_ms[NXC__WAYS];
  nxc__word stale_wall_ms[NXC__WAYS];
} nxc__tag_bucket;

typedef struct nxc__header {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  nxc__geometry geometry;
  unsigned char instance[NXC__ID_SIZE]; /* names the data file, seeds checksums */
  unsigned char key[NXC__ID_SIZE];      /* of the keyed hashes */
  uint64_t file_bytes;
  uint64_t elder_bytes;          /* what the elder may have */
  uint64_t whole_bytes;          /* of which the bound is a share; 0: it is no share */
  uint64_t check;                /* checksum of everything above */
  _Alignas(64) nxc__word boot;   /* hash of the boot id that the words belong to */
  nxc__word ceiling;             /* no segment sequence from here on was used */
  _Alignas(64) nxc__word cursor; /* {segment sequence 32 | offset in units 32} */
  _Alignas(64) nxc__word epoch;  /* count of marks; NXC__EPOCH_DEAD: replaced */
  _Alignas(64) nxc__word floor;  /* marks up to this epoch may be forgotten */
  nxc__word floor_wall_ms;
  nxc__word origin; /* nothing from before is believed, tagged or not */
  nxc__word origin_wall_ms;
  nxc__word elder; /* the older version that keeps the marks; 0: they are here */
} nxc__header;

typedef struct nxc__index {
  struct nxc__index *elder; /* of an older format (sibling.h): its epoch and rows are
                               obeyed in the place of ours; NULL */
  nxc__header *header;
  nxc__tag_bucket *tag_buckets;
  nxc__word *segments;    /* {allocated 1 | sequence 63}, by sequence mod n */
  nxc__word *slots;       /* buckets of eight */
  atomic_uchar *access;   /* one per slot: used 1 | size class 7 */
  nxc__word *counters;    /* NXC__COUNTER_ROWS + 1 rows, the last: the past */
  nxc__geometry geometry; /* checked copies of what the file says */
  uint32_t version;
  unsigned char instance[NXC__ID_SIZE];
  uint64_t seed; /* of checksums */
  nxc__secret secret;
  void *map;
  size_t map_bytes;
  size_t durable_bytes;                     /* header and rows: what an invalidation flushes */
  nxc__word flushed_floor, flushed_wall_ms; /* of the header, durable by this process */
  int fd;                                   /* -1: anonymous */
  dev_t dev;
  ino_t ino;
  int counter_row;
} nxc__index;

/* What a bound asks for. */
nxc__geometry nxc__index_geometry(uint64_t bound_bytes, uint32_t tag_rows);

/* The size of a file of this geometry. */
uint64_t nxc__index_file_bytes(const nxc__geometry *g);

/* A table in anonymous memory, for a cache without a disk. NXC_E_NOMEM. */
int nxc__index_anonymous(uint32_t tag_rows, int64_t now_ms, nxc__index **out);

/* Maps `index` in the directory. NXC_OK; NXC_MISS when there is none;
 * NXC_E_FORMAT when it is not ours or not intact; NXC_E_IO (errno). */
int nxc__index_open(int dir, nxc__index **out);

/* The same for one who only looks: it does not count as a process that has the index open,
 * so it keeps nobody from replacing it, and takes no counter row. */
int nxc__index_watch(int dir, nxc__index **out);

/* The same for another format version that we know, and for its header alone: that is
 * what we know of any. The second takes no lock. */
int nxc__index_open_version(int dir, uint32_t version, nxc__index **out);
int nxc__index_peek(int dir, uint32_t version, nxc__index **out);

typedef struct nxc__plan { /* for a new index */
  nxc__geometry geometry;
  int64_t now_ms;
  uint64_t epoch_above;       /* the epoch starts above it */
  int64_t floor_wall_ms;      /* content from up to then is not believed if it
                                carries a tag; 0: nothing died */
  int64_t origin_wall_ms;     /* the same for all content */
  const nxc__index *replaces; /* takes its place, and keeps its marks; NULL */
  const nxc__index *over;     /* dead: takes its place in one step, without its marks; NULL */
  const nxc__index *elder;    /* keeps the marks; NULL */
  uint64_t elder_bytes;       /* as in the header */
  uint64_t whole_bytes;
} nxc__plan;

/* Builds an index in a temporary file with an empty data file beside it, and
 * publishes it. NXC_OK; NXC_MISS when another process was first; NXC_E_IO. */
int nxc__index_create(int dir, const nxc__plan *plan);

/* Replaces an index by an empty one of another bound, of the same format, that keeps its
 * marks. `held`, if not NULL, becomes a descriptor of the new one that counts as a process
 * which has it open; -1 on an error. */
int nxc__index_replace(int dir, const nxc__index *index, uint64_t bound_bytes, uint64_t whole_bytes,
                       int64_t now_ms, int *held);

/* Keeps those who find the index dead waiting, a little, for what takes its place, and
 * others from replacing it, until it is closed. */
void nxc__index_lock_replacing(nxc__index *index);

/* Whether no other process has the index open; until it is closed, or given back
 * by the second call, none will. */
bool nxc__index_claim(nxc__index *index);
void nxc__index_unclaim(nxc__index *index);

/* Ceases to count as a process that has the index open; whether none does now. */
bool nxc__index_leave(nxc__index *index);

/* Whether the index is what stands under its name in the directory. */
bool nxc__index_is_named(int dir, const nxc__index *index);

/* Removes data files and temporary files that do not belong to the index. */
void nxc__index_sweep(int dir, const nxc__index *index);

/* Unlinks the index and its data in the directory. */
void nxc__index_unlink(int dir, const nxc__index *index);

void nxc__index_close(nxc__index *index); /* NULL is allowed */

/* "data-<instance>" */
void nxc__index_data_name(const unsigned char instance[NXC__ID_SIZE], char name[static 48]);

/* Flushes the header and the rows to the disk. 0, or -1 (errno). */
int nxc__index_flush(nxc__index *index);

/* Whether a flush has made this floor, or a higher one, durable. */
bool nxc__index_has_flushed(const nxc__index *index, uint64_t floor, uint64_t floor_wall_ms);

/* ---- its words --------------------------------------------------------------- */

static inline uint64_t nxc__epoch_load(const nxc__index *x) {
  uint64_t epoch = atomic_load(&x->header->epoch);
  if (!x->elder) return epoch;
  return atomic_load(&x->elder->header->epoch) | (epoch & NXC__EPOCH_DEAD);
}

/* Milliseconds that no step of the wall clock moves, to a few. */
int64_t nxc__steady_ms(void);

/* Raises a word; returns whether it moved. */
bool nxc__word_raise(nxc__word *word, uint64_t value);

static inline nxc__word *nxc__counters_of(nxc__index *x) {
  return x->counters + (size_t)x->counter_row * NXC__COUNTERS;
}

static inline void nxc__count(nxc__index *x, unsigned counter, uint64_t n) {
  atomic_fetch_add_explicit(nxc__counters_of(x) + counter, n, memory_order_relaxed);
}

/* The sum of a counter over all rows. */
uint64_t nxc__counter_sum(const nxc__index *x, unsigned counter);

/* Moves what this process counted from one index to another; where the first is over, also
 * what all others did, so that totals do not fall until the last of them has come. */
void nxc__counters_carry(nxc__index *from, nxc__index *to);

#endif
