/* nextcache_admin.h - looking at a cache directory from outside: for tools.
 *
 * A view maps what stands in a directory and takes no part in it: it makes,
 * repairs and replaces nothing, counts nothing, and lifts nothing into memory.
 * Any number of processes may have the directory open meanwhile. To change
 * something, open the cache with nextcache.h.
 *
 * A view belongs to one thread at a time, whichever; everything here may block.
 * What nextcache.h says of pointers holds here too.
 */
#ifndef NEXTCACHE_ADMIN_H
#define NEXTCACHE_ADMIN_H

#include "nextcache.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct nxc_view nxc_view; /* what stands in a directory; opaque */

/* ---- opening ------------------------------------------------------------ */

/* Who owns the cache in a directory; nobody else may open it.
 * @param dir  the directory
 * @param uid  set on OK
 * @param gid  set on OK
 * @return OK; MISS: no cache is there; E_IO, with errno. Any thread, may block. */
NXC_EXTERN int nxc_view_owner(const char *dir, uint32_t *uid, uint32_t *gid);

/* Opens a view.
 * @param out           to be closed with nxc_view_close(); NULL unless OK
 * @param dir           the directory, copied
 * @param problem       unless OK, one line that says why; NULL where its size is 0
 * @param problem_size  of that text, in bytes
 * @return OK; MISS: no cache is there; E_FORMAT: it is damaged; E_NEWER: its format is a
 * newer release's; E_IO: it cannot be read; E_NOMEM. Any thread, may block. */
NXC_EXTERN int nxc_view_open(nxc_view **out, const char *dir, char *problem, size_t problem_size);

/* Closes a view.
 * @param view  NULL is allowed. One thread at a time, may block. */
NXC_EXTERN void nxc_view_close(nxc_view *view);

/* Whether the directory no longer holds what the view shows.
 * @param view  the view
 * @return 1: close it, and open another; 0. One thread at a time, may block. */
NXC_EXTERN int nxc_view_is_over(const nxc_view *view);

/* ---- what it is --------------------------------------------------------- */

/* How a cache is laid out, and how full it is. */
typedef struct nxc_shape {
  char instance[33];      /* of this cache, in hexadecimal digits           */
  uint64_t limit_bytes;   /* the bound of the disk tier                     */
  uint64_t held_bytes;    /* of it, allocated so far                        */
  uint64_t index_bytes;   /* of the file beside it                          */
  uint64_t record_bytes;  /* the largest record that fits                   */
  uint32_t segment_bytes; /* what is recycled at a time                     */
  uint32_t segments;      /* of the bound                                   */
  uint32_t slots;         /* entries that there is room for                 */
  uint32_t slots_used;    /* dead ones included                             */
  uint32_t tag_rows;      /* tags whose marks can be remembered             */
  uint32_t tag_rows_used; /* tags whose marks are                           */
  uint64_t epoch;         /* the number of the last mark                    */
  int64_t floor_ms;       /* content with tags from up to then is dead; 0: none */
  int64_t origin_ms;      /* the same for all content                           */
} nxc_shape;

/* How the cache is laid out.
 * @param view  the view
 * @param out   filled. One thread at a time, may block. */
NXC_EXTERN void nxc_view_shape(const nxc_view *view, nxc_shape *out);

/* As nxc_stats_get(), where what is marked (here) is the sum over all processes.
 * @param view  the view
 * @param out   filled. One thread at a time, may block. */
NXC_EXTERN void nxc_view_stats(const nxc_view *view, nxc_stats *out);

/* ---- the tier that machines share ----------------------------------------- */

/* A host may have a tier behind these two that many machines share. What it tells of it
 * is seen from outside with the rest of its numbers. X(field, kind, name, what it is): a
 * COUNTER is of all processes, past ones included; the others are of those that live: of
 * a GAUGE the sum, of TIMES (microseconds) and SINCE (milliseconds) the largest. */
/* clang-format off */
#define NXC_REMOTE_METRICS(X)                                                                    \
  X(gets, COUNTER, "gets_total", "Look-ups in the shared tier.")                                 \
  X(hits, COUNTER, "hits_total", "Look-ups that it answered.")                                   \
  X(misses, COUNTER, "misses_total", "Look-ups without an answer.")                              \
  X(failures, COUNTER, "failures_total", "Look-ups that failed.")                                \
  X(refused, COUNTER, "refused_total", "Entries from it that were not intact.")                  \
  X(too_old, COUNTER, "too_old_total", "Entries from it that were invalidated.")                 \
  X(puts, COUNTER, "puts_total", "Entries that were sent to it.")                                \
  X(put_failures, COUNTER, "put_failures_total", "Entries that could not be sent.")              \
  X(dropped, COUNTER, "dropped_total", "Entries not sent because too many waited.")              \
  X(sent, COUNTER, "invalidations_sent_total", "Invalidations told to other machines.")          \
  X(received, COUNTER, "invalidations_received_total", "Invalidations that the log told.")       \
  X(clears, COUNTER, "clears_total", "Times that nothing from before could be believed.")        \
  X(bytes_in, COUNTER, "received_bytes_total", "Bytes of entries that came.")                    \
  X(bytes_out, COUNTER, "sent_bytes_total", "Bytes of entries that went.")                       \
  X(breaker_openings, COUNTER, "breaker_openings_total", "Times that it was given up for a while.") \
  X(processes, GAUGE, "processes", "Processes that have such a tier.")                           \
  X(ready, GAUGE, "ready", "Of these, those that follow its log and ask it.")                    \
  X(breaker_open, GAUGE, "breaker_open", "Of these, those that have given it up for a while.")   \
  X(behind, GAUGE, "behind", "Of these, those that know of invalidations not obeyed yet.")       \
  X(unsent, GAUGE, "unsent", "Invalidations that other machines were not told of yet.")          \
  X(queue_bytes, GAUGE, "queue_bytes", "Bytes of entries that wait to be sent.")                 \
  X(p50_us, TIMES, "latency_p50_seconds", "How long half of the last look-ups took at most.")    \
  X(p99_us, TIMES, "latency_p99_seconds", "How long 99 % of the last look-ups took at most.")    \
  X(unsure_ms, SINCE, "unsure_seconds", "How long ago the log was surely read to its end.")
/* clang-format on */

/* The tier that machines share, as one process or all of a directory tell of it. */
typedef struct nxc_remote {
#define NXC__X(field, kind, name, help) uint64_t field;
  NXC_REMOTE_METRICS(NXC__X)
#undef NXC__X
} nxc_remote;

/* Tells how it is now: counters are added to those of this process, the rest takes the
 * place of what was told before.
 * @param cache  the cache
 * @param now    how it is
 * @return OK; E_INVALID, E_FORKED. Any thread, never blocks. */
NXC_EXTERN int nxc_remote_tell(nxc_cache *cache, const nxc_remote *now);

/* What is known without a view: the counters, and what this process told last.
 * @param cache  the cache
 * @param out    filled on OK
 * @return OK; E_INVALID, E_FORKED. Any thread, never blocks. */
NXC_EXTERN int nxc_remote_get(nxc_cache *cache, nxc_remote *out);

/* Of all processes; `processes` is 0 where none has such a tier.
 * @param view  the view
 * @param out   filled. One thread at a time, may block. */
NXC_EXTERN void nxc_view_remote(const nxc_view *view, nxc_remote *out);

/* ---- times and processes --------------------------------------------------- */

/* What is timed: one in eight reads of the disk tier and puts into it, and every flush
 * of an invalidation. */
typedef enum nxc_timed {
  NXC_TIMED_READ, /* of an entry, from the disk */
  NXC_TIMED_PUT,  /* to the disk                */
  NXC_TIMED_MARK  /* to be durable              */
} nxc_timed;

/* How long it took, since the cache was made: microseconds, to a fifth. */
typedef struct nxc_times {
  uint64_t count; /* of those that were timed */
  double p50_us;  /* half took no longer      */
  double p90_us;  /* nine in ten              */
  double p99_us;  /* 99 in a hundred          */
} nxc_times;

/* How long things took.
 * @param view  the view
 * @param what  which
 * @param out   filled. One thread at a time, may block. */
NXC_EXTERN void nxc_view_times(const nxc_view *view, nxc_timed what, nxc_times *out);

/* A process that has the cache open. */
typedef struct nxc_process {
  int64_t pid;       /* 0: not to be seen from here (another container, or user)  */
  char command[128]; /* its command line, cut to fit; "" where pid is 0           */
  nxc_stats stats;   /* its own counters; those of the directory are not set      */
  nxc_remote remote; /* what it tells of the tier that machines share             */
} nxc_process;

/* The processes that have the cache open, this view aside.
 * @param view   the view
 * @param out    new memory, to be freed with free(); set on OK
 * @param count  how many
 * @return OK; E_NOMEM. One thread at a time, may block. */
NXC_EXTERN int nxc_view_processes(const nxc_view *view, nxc_process **out, size_t *count);

/* ---- what is in it ------------------------------------------------------- */

/* An entry, as it stands on disk. */
typedef struct nxc_seen {
  nxc_entry *entry;    /* NULL when it is not intact                             */
  int result;          /* what a get would answer now: OK, STALE, MISS; and
                          E_FORMAT: damaged; E_IO: could not be read             */
  nxc_why why;         /* as of nxc_found                                        */
  char why_tag[64];    /* as of nxc_found                                        */
  int64_t dead_at_ms;  /* as of nxc_found                                        */
  uint64_t id;         /* of the key, the same for all views of the directory    */
  uint64_t disk_bytes; /* that it takes; 0 when not intact                       */
  int used;            /* 1: it was read since it was written                    */
  size_t number;       /* how many came before it, ...                           */
  size_t count;        /* ... of how many                                        */
  const void *slot;    /* for nxc_view_forget()                                  */
  uint64_t word;       /* for nxc_view_forget()                                  */
} nxc_seen;

/* Shows each entry, the oldest first.
 * @param view   the view
 * @param visit  called for each until it returns 0; what it is shown, and the entry in
 *               it, live until it returns, unless it takes a reference
 * @param arg    handed to it
 * @return OK; E_NOMEM. One thread at a time, may block; `visit` runs inside of the call. */
NXC_EXTERN int nxc_view_each(nxc_view *view, int (*visit)(void *arg, const nxc_seen *seen),
                             void *arg);

/* Looks one key up.
 * @param view  the view
 * @param key   any bytes
 * @param out   filled; its entry is the caller's reference, also where a get would miss
 * @return the result that is in *out. One thread at a time, may block. */
NXC_EXTERN int nxc_view_find(nxc_view *view, nxc_slice key, nxc_seen *out);

/* Takes a damaged entry out of the index: the one thing that a view changes.
 * @param view     the view that showed it
 * @param damaged  as it was shown
 * @return 1: it is gone; 0: it had changed, or is not damaged. One thread at a time, may
 * block. */
NXC_EXTERN int nxc_view_forget(nxc_view *view, const nxc_seen *damaged);

/* The marks of a tag: wall times in milliseconds; 0: none. */
typedef struct nxc_tag_marks {
  int64_t dead_ms;     /* the last "dead now"          */
  int64_t stale_ms;    /* the last "stale now", ...    */
  int64_t deadline_ms; /* ... and when that means dead */
} nxc_tag_marks;

/* Looks a tag up.
 * @param view  the view
 * @param tag   its text
 * @param out   filled in both cases
 * @return OK; MISS: no marks are remembered. One thread at a time, may block. */
NXC_EXTERN int nxc_view_tag(const nxc_view *view, nxc_slice tag, nxc_tag_marks *out);

/* ---- warming -------------------------------------------------------------- */

/* What nxc_warm() lifted into the memory tier. */
typedef struct nxc_warmed {
  uint64_t entries; /* how many             */
  uint64_t bytes;   /* that they take there */
} nxc_warmed;

/* Lifts what was read since it was written from disk into the memory tier of an open
 * cache, the newest first, as far as there is room. It counts as nobody's look-up.
 * @param cache   the cache
 * @param max_ms  it takes hardly longer than that
 * @param out     filled on OK and E_NOMEM
 * @return OK; E_NOMEM; E_INVALID; E_FORKED. Any thread, may block. */
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

/* Everything that is told above, as Prometheus text.
 * @param view         the view, or NULL, as where a process has no disk tier
 * @param cache        whose numbers are told where there is no view; else it may be NULL
 * @param class_names  for the label `class`
 * @param classes      how many; classes beyond are left out
 * @return new text, to be freed with free(); NULL: out of memory, or nothing to tell of.
 * One thread at a time, may block. */
NXC_EXTERN char *nxc_metrics_text(nxc_view *view, nxc_cache *cache, const char *const *class_names,
                                  unsigned classes);

#ifdef __cplusplus
}
#endif
#endif /* NEXTCACHE_ADMIN_H */
