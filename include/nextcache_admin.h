/* nextcache_admin.h - looking at a cache directory from outside: for tools.
 *
 * A view maps what stands in a directory and takes no part in it: it makes,
 * repairs and replaces nothing, counts nothing, and lifts nothing into memory.
 * Any number of processes may have the directory open meanwhile. To change
 * something, open the cache with nextcache.h.
 *
 * A view belongs to one thread at a time. Everything here may block.
 */
#ifndef NEXTCACHE_ADMIN_H
#define NEXTCACHE_ADMIN_H

#include "nextcache.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct nxc_view nxc_view; /* opaque */

/* ---- opening ------------------------------------------------------------ */

/* Who owns the cache in a directory; nobody else may open it. OK; MISS: there
 * is none; NXC_E_IO with errno. */
NXC_EXTERN int nxc_view_owner(const char *dir, uint32_t *uid, uint32_t *gid);

/* Opens a view into *out, to be closed with nxc_view_close(). OK; MISS: no cache
 * is there; NXC_E_FORMAT: it is damaged; NXC_E_NEWER: its format is of a newer
 * release; NXC_E_IO: it cannot be read; NXC_E_NOMEM. Unless OK, `problem` is one line that says why. */
NXC_EXTERN int nxc_view_open(nxc_view **out, const char *dir, char *problem, size_t problem_size);
NXC_EXTERN void nxc_view_close(nxc_view *view); /* NULL is allowed */

/* 1 when the directory no longer holds what the view shows: open it anew. */
NXC_EXTERN int nxc_view_is_over(const nxc_view *view);

/* ---- what it is --------------------------------------------------------- */

typedef struct nxc_shape {
  char instance[33];     /* of this cache, in hexadecimal digits          */
  uint64_t limit_bytes;  /* the bound of the disk tier                    */
  uint64_t held_bytes;   /* of it, allocated so far                       */
  uint64_t index_bytes;  /* of the file beside it                         */
  uint64_t record_bytes; /* the largest record that fits                  */
  uint32_t segment_bytes, segments;
  uint32_t slots, slots_used;
  uint32_t tag_rows, tag_rows_used;
  uint64_t epoch;
  int64_t floor_ms;  /* content with tags from up to then is dead; 0: none */
  int64_t origin_ms; /* the same for all content                           */
} nxc_shape;

NXC_EXTERN void nxc_view_shape(const nxc_view *view, nxc_shape *out);

/* As nxc_stats_get(), where what is marked (here) is the sum over all processes. */
NXC_EXTERN void nxc_view_stats(const nxc_view *view, nxc_stats *out);

/* How long things took, of those that were timed: one in eight reads of the disk tier
 * and puts into it, and every flush of an invalidation. Microseconds, to a fifth. */
typedef enum nxc_timed { NXC_TIMED_READ, NXC_TIMED_PUT, NXC_TIMED_MARK } nxc_timed;
typedef struct nxc_times {
  uint64_t count;
  double p50_us, p90_us, p99_us; /* so many took no longer */
} nxc_times;
NXC_EXTERN void nxc_view_times(const nxc_view *view, nxc_timed what, nxc_times *out);

typedef struct nxc_process {
  int64_t pid;       /* 0: not to be seen from here (another container, or user)  */
  char command[128]; /* its command line, cut to fit; "" where pid is 0           */
  nxc_stats stats;   /* its own counters; those of the directory are not set      */
} nxc_process;

/* The processes that have the cache open, this view aside: new memory, to be freed
 * with free(). OK or NXC_E_NOMEM. */
NXC_EXTERN int nxc_view_processes(const nxc_view *view, nxc_process **out, size_t *count);

/* ---- what is in it ------------------------------------------------------- */

typedef struct nxc_seen {
  nxc_entry *entry; /* NULL when it is not intact                             */
  int result;       /* what a get would answer now: OK, STALE, MISS; and
                       NXC_E_FORMAT: damaged; NXC_E_IO: could not be read    */
  nxc_why why;
  char why_tag[64];
  int64_t dead_at_ms;  /* as of nxc_found                                     */
  uint64_t id;         /* of the key, the same for all views of the directory */
  uint64_t disk_bytes; /* that it takes; 0 when not intact                    */
  int used;            /* 1: it was read since it was written                 */
  size_t number;       /* how many came before it, ...                        */
  size_t count;        /* ... of how many                                     */
  const void *slot;    /* for nxc_view_forget()                               */
  uint64_t word;
} nxc_seen;

/* Shows each entry, the oldest first, until `visit` returns 0. The entry is borrowed.
 * OK or NXC_E_NOMEM. */
NXC_EXTERN int nxc_view_each(nxc_view *view, int (*visit)(void *arg, const nxc_seen *seen),
                             void *arg);

/* Looks one key up: the result that is in *out, whose entry is the caller's
 * reference, also when it would be a miss. */
NXC_EXTERN int nxc_view_find(nxc_view *view, nxc_slice key, nxc_seen *out);

/* Takes a damaged entry out of the index. 1: it is gone; 0: it had changed. */
NXC_EXTERN int nxc_view_forget(nxc_view *view, const nxc_seen *damaged);

typedef struct nxc_tag_marks { /* wall times in ms; 0: none */
  int64_t dead_ms;             /* the last "dead now"            */
  int64_t stale_ms;            /* the last "stale now", ...      */
  int64_t deadline_ms;         /* ... and when that means dead   */
} nxc_tag_marks;

/* The marks of a tag. OK, or MISS: none are remembered. */
NXC_EXTERN int nxc_view_tag(const nxc_view *view, nxc_slice tag, nxc_tag_marks *out);

/* ---- warming -------------------------------------------------------------- */

typedef struct nxc_warmed {
  uint64_t entries, bytes; /* that were lifted into the memory tier */
} nxc_warmed;

/* Lifts what was read since it was written from disk into the memory tier of an open
 * cache, the newest first, as far as there is room and for at most so long. It counts
 * as nobody's look-up. OK or NXC_E_NOMEM; NXC_E_INVALID, NXC_E_FORKED. Any thread. */
NXC_EXTERN int nxc_warm(nxc_cache *cache, int64_t max_ms, nxc_warmed *out);

/* ---- for Prometheus ------------------------------------------------------- */

/* The numbers of nxc_stats, all of them uint64_t: X(field, kind, name, what it is), where a kind is CLASSES
 * (a counter for each class), COUNTER or GAUGE. */
/* clang-format off */
#define NXC_METRICS(X)                                                                           \
  X(memory_hits, CLASSES, "memory_hits_total", "Look-ups answered by the memory tier.") \
  X(disk_hits, CLASSES, "disk_hits_total", "Look-ups answered by the disk tier.") \
  X(stale_hits, CLASSES, "stale_hits_total", "Hits on entries that were stale.") \
  X(misses, CLASSES, "misses_total", "Look-ups without an answer.") \
  X(puts, CLASSES, "puts_total", "Entries that were stored.") \
  X(removes, COUNTER, "removes_total", "Entries that were removed by key.") \
  X(marks, COUNTER, "marks_total", "Tags that were marked by invalidations.") \
  X(clears, COUNTER, "clears_total", "Times that everything was cleared.") \
  X(dead_by_tag, COUNTER, "dead_by_tag_total", "Misses that found an invalidated entry.") \
  X(dead_by_age, COUNTER, "dead_by_age_total", "Misses that found an expired entry.") \
  X(born_dead, COUNTER, "born_dead_total", "Entries invalidated before they were stored.") \
  X(superseded, COUNTER, "superseded_total", "Entries not kept: a newer one was there.") \
  X(refused, COUNTER, "refused_total", "Entries too large to be stored.") \
  X(memory_evictions, COUNTER, "memory_evictions_total", "Entries pushed out of a memory tier.") \
  X(disk_recycled, COUNTER, "disk_recycled_segments_total", "Segments of the ring written anew.") \
  X(disk_overflow, COUNTER, "disk_overflow_total", "Entries pushed out of a full bucket.") \
  X(disk_moved, COUNTER, "disk_moved_total", "Entries given a second life.") \
  X(corrupt, COUNTER, "corrupt_total", "Entries found damaged.") \
  X(disk_errors, COUNTER, "disk_errors_total", "Reads and writes that failed.") \
  X(floor_raises, COUNTER, "floor_raises_total", "Times that old tag marks had to be forgotten.") \
  X(bytes_written, COUNTER, "disk_written_bytes_total", "Bytes written to the ring.") \
  X(bytes_read, COUNTER, "disk_read_bytes_total", "Bytes read from the ring.") \
  X(retries, COUNTER, "retries_total", "Times that a step met another process and began anew.") \
  X(memory_bytes, GAUGE, "memory_bytes", "Bytes of the memory tiers of all processes.") \
  X(memory_limit_bytes, GAUGE, "memory_limit_bytes", "Bounds of these tiers, added up.") \
  X(memory_items, GAUGE, "memory_items", "Entries in these tiers.") \
  X(pinned_bytes, GAUGE, "pinned_bytes", "Bytes in use that are in no tier any more.") \
  X(disk_bytes, GAUGE, "disk_bytes", "Bytes of the ring that are allocated.") \
  X(disk_limit_bytes, GAUGE, "disk_limit_bytes", "Bound of the ring.") \
  X(disk_slots, GAUGE, "disk_slots", "Entries that the index has room for.") \
  X(epoch, GAUGE, "epoch", "The number of the last invalidation.")
/* clang-format on */

/* Everything that is told above as Prometheus text, new memory to be freed with free();
 * NULL: out of memory. Without a view, as where a process has no disk tier, the numbers
 * are those of `stats`, else it may be NULL. Classes beyond the names are left out. */
NXC_EXTERN char *nxc_metrics_text(nxc_view *view, const nxc_stats *stats,
                                  const char *const *class_names, unsigned classes);

#ifdef __cplusplus
}
#endif
#endif /* NEXTCACHE_ADMIN_H */
