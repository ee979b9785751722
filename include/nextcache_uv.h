/* nextcache_uv.h - the blocking calls of nextcache.h on a libuv loop.
 *
 * What can be answered at once is answered at once: then the result is
 * returned and the callback is never called. Otherwise NXC_PENDING is returned
 * and the callback runs later, exactly once, on the loop's thread. Errors in
 * the arguments are returned, not called back.
 *
 * The cache must stay open until every callback has run; a pending call keeps
 * its loop alive. Calls may be made only on the loop's own thread.
 */
#ifndef NEXTCACHE_UV_H
#define NEXTCACHE_UV_H

#include <uv.h>

#include "nextcache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `result` and `*found` are as nxc_get() gives them. The callback owns
 * found->entry; `found` itself lives until the callback returns. */
typedef void (*nxc_uv_get_cb)(void *arg, int result, nxc_found *found);
typedef void (*nxc_uv_cb)(void *arg, int result);

/* nxc_get(). Memory and warm pages of the disk are answered at once into
 * *found; several gets of one key that wait for the disk share one read.
 * The query is copied where needed. */
NXC_EXTERN int nxc_uv_get(uv_loop_t *loop, nxc_cache *cache, const nxc_query *query,
                          nxc_found *found, nxc_uv_get_cb callback, void *arg);

/* For hosts that keep what they made of an entry: whether a get of the same key with
 * the same tags, which answered OK with this stamp, would find the same entry under the
 * same marks. 1 counts as that hit, under this class; 0 says to get anew. Of age it says
 * nothing: the host compares the entry's times and found->dead_at_ms. The memory tier
 * does not hear of it; any thread. */
NXC_EXTERN int nxc_uv_unchanged(nxc_cache *cache, unsigned class_id, const uint64_t stamp[4]);

/* nxc_put_entry(). Puts and removes of one key take effect in the order of the
 * calls; the entry is referenced until it is written. */
NXC_EXTERN int nxc_uv_put(uv_loop_t *loop, nxc_cache *cache, nxc_entry *entry, nxc_uv_cb callback,
                          void *arg);

/* nxc_uv_put() of each entry in turn, with one way to a worker and back, for entries that
 * nobody waits for: the result says that they are done, not what came of each. */
NXC_EXTERN int nxc_uv_put_all(uv_loop_t *loop, nxc_cache *cache, nxc_entry *const *entries,
                              size_t count, nxc_uv_cb callback, void *arg);

/* nxc_mark(). Obeyed by every process when the call returns; the callback says
 * that it is durable. */
NXC_EXTERN int nxc_uv_mark(uv_loop_t *loop, nxc_cache *cache, const nxc_slice *tags,
                           size_t tag_count, int64_t dead_after_ms, nxc_uv_cb callback, void *arg);

/* nxc_remove() and nxc_clear(). */
NXC_EXTERN int nxc_uv_remove(uv_loop_t *loop, nxc_cache *cache, nxc_slice key, nxc_uv_cb callback,
                             void *arg);
NXC_EXTERN int nxc_uv_clear(uv_loop_t *loop, nxc_cache *cache, nxc_uv_cb callback, void *arg);

#ifdef __cplusplus
}
#endif
#endif /* NEXTCACHE_UV_H */
