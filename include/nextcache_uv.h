/* nextcache_uv.h - the blocking calls of nextcache.h on a libuv loop.
 *
 * What can be answered at once is answered at once: then the result is
 * returned and the callback is never called. Otherwise PENDING is returned
 * and the callback runs later, exactly once, on the loop's thread. Errors in
 * the arguments are returned, not called back.
 *
 * The cache must stay open until every callback has run; a pending call keeps
 * its loop alive. What waits for the disk runs on the loop's thread pool; only
 * where no worker or no memory can be had does the call itself wait for it.
 */
#ifndef NEXTCACHE_UV_H
#define NEXTCACHE_UV_H

#include <uv.h>

#include "nextcache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called with what a get found.
 * @param arg     of the call
 * @param result  OK, STALE or MISS, as of nxc_get(); E_NOMEM
 * @param found   lives until the callback returns; its entry is the callback's own
 *                reference. The loop's thread. */
typedef void (*nxc_uv_get_cb)(void *arg, int result, nxc_found *found);

/* Called with what became of a put, mark, remove or clear.
 * @param arg     of the call
 * @param result  as of the blocking call. The loop's thread. */
typedef void (*nxc_uv_cb)(void *arg, int result);

/* nxc_get(). Memory and warm pages of the disk are answered at once; several gets of one
 * key that wait for the disk, on one handle and loop, share one read.
 * @param loop      a running loop
 * @param cache     the cache
 * @param query     copied where needed
 * @param found     filled unless PENDING, as by nxc_get()
 * @param callback  for PENDING
 * @param arg       handed to it
 * @return as nxc_get(); PENDING; E_NOMEM: not looked up. The loop's thread, never blocks. */
NXC_EXTERN int nxc_uv_get(uv_loop_t *loop, nxc_cache *cache, const nxc_query *query,
                          nxc_found *found, nxc_uv_get_cb callback, void *arg);

/* For hosts that keep what they made of an entry: whether a get of the same key with
 * the same tags, which answered OK with this stamp, would find the same entry under the
 * same marks. Of age it says nothing: the host compares the entry's times and
 * found->dead_at_ms. The memory tier does not hear of it.
 * @param cache     the cache
 * @param class_id  the class that a hit is counted under
 * @param stamp     of nxc_found
 * @return 1: it would, and counts as that hit; 0: get anew. Any thread, never blocks. */
NXC_EXTERN int nxc_uv_unchanged(nxc_cache *cache, unsigned class_id, const uint64_t stamp[4]);

/* nxc_put_entry(). Puts and removes of one key take effect in the order of the calls.
 * @param loop      a running loop
 * @param cache     the cache
 * @param entry     referenced until it is written
 * @param callback  for PENDING
 * @param arg       handed to it
 * @return as nxc_put_entry(); PENDING. The loop's thread, never blocks. */
NXC_EXTERN int nxc_uv_put(uv_loop_t *loop, nxc_cache *cache, nxc_entry *entry, nxc_uv_cb callback,
                          void *arg);

/* nxc_uv_put() of each entry in turn, with one way to a worker and back, for entries that
 * nobody waits for.
 * @param loop      a running loop
 * @param cache     the cache
 * @param entries   each is referenced until it is written
 * @param count     how many
 * @param callback  for PENDING; its result is OK
 * @param arg       handed to it
 * @return OK and PENDING say that all are done or will be, not what came of each; E_INVALID,
 * E_FORKED: nothing was done. The loop's thread, never blocks. */
NXC_EXTERN int nxc_uv_put_all(uv_loop_t *loop, nxc_cache *cache, nxc_entry *const *entries,
                              size_t count, nxc_uv_cb callback, void *arg);

/* nxc_mark(). Obeyed by every process when the call returns OK or PENDING; the callback
 * says that it is durable.
 * @param loop           a running loop
 * @param cache          the cache
 * @param tags           which; read during the call
 * @param tag_count      how many; 0 does nothing
 * @param dead_after_ms  as of nxc_mark()
 * @param callback       for PENDING
 * @param arg            handed to it
 * @return as nxc_mark(); PENDING. The loop's thread, never blocks. */
NXC_EXTERN int nxc_uv_mark(uv_loop_t *loop, nxc_cache *cache, const nxc_slice *tags,
                           size_t tag_count, int64_t dead_after_ms, nxc_uv_cb callback, void *arg);

/* nxc_remove(), in the order of the calls with puts of the key.
 * @param loop      a running loop
 * @param cache     the cache
 * @param key       copied
 * @param callback  for PENDING
 * @param arg       handed to it
 * @return as nxc_remove(); PENDING. The loop's thread, never blocks. */
NXC_EXTERN int nxc_uv_remove(uv_loop_t *loop, nxc_cache *cache, nxc_slice key, nxc_uv_cb callback,
                             void *arg);

/* nxc_clear(), whole on a worker.
 * @param loop      a running loop
 * @param cache     the cache
 * @param callback  for PENDING
 * @param arg       handed to it
 * @return as nxc_clear(); PENDING. The loop's thread, never blocks. */
NXC_EXTERN int nxc_uv_clear(uv_loop_t *loop, nxc_cache *cache, nxc_uv_cb callback, void *arg);

#ifdef __cplusplus
}
#endif
#endif /* NEXTCACHE_UV_H */
