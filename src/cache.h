/* cache.h - the composition, cut into steps so that a host with an event loop can
 * take each on the thread where it belongs (async.c); the public calls are the
 * same steps in a row.
 */
#ifndef NXC_CACHE_H
#define NXC_CACHE_H

#include "engine.h"

/* ---- get: now -> (read -> conclude) -------------------------------------------- */

/* Like nxc_get(), but NXC__WOULD_BLOCK when `nowait` and the disk is not warm. */
int nxc__get(nxc_cache *cache, const nxc_query *query, bool nowait, nxc_found *found);

/* nxc_uv_unchanged() */
int nxc__unchanged(nxc_cache *cache, unsigned class_id, const uint64_t stamp[4]);

typedef struct nxc__fetched { /* what the disk said; good for several queries */
  int result;                 /* as nxc__ring_get() */
  nxc__hash hash;             /* of the key */
  nxc_entry *entry;           /* a reference, or NULL */
  nxc__token token;
  nxc__store *store; /* a reference, or NULL */
} nxc__fetched;

/* Reads from the disk tier. Blocks. To be released in any case. */
void nxc__fetch(nxc_cache *cache, nxc_slice key, nxc__fetched *fetched);
void nxc__fetched_release(nxc__fetched *fetched);

/* Whether a look-up that begins now may be answered with it: it was found, in the store
 * that is in use, and is still the version that holds there. */
bool nxc__fetched_stands(nxc_cache *cache, const nxc__fetched *fetched);

/* Judges what was fetched for a query, counts, and keeps it in memory. */
int nxc__conclude(nxc_cache *cache, const nxc_query *query, const nxc__fetched *fetched,
                  nxc_found *found);

/* ---- put and remove: begin -> finish ------------------------------------------------ */

typedef struct nxc__put {
  nxc_cache *cache;
  nxc_entry *entry;  /* a reference; NULL: remove */
  nxc__store *store; /* a reference */
  nxc_slice key;     /* of the entry, or of the caller's bytes */
  nxc__hash hash;    /* of the key */
  nxc__write write;
  int planned; /* NXC_OK: do it; else why the key is removed instead */
} nxc__put;

/* Takes the place of the put, or the remove, among the versions of its key. Never
 * blocks. On an error there is nothing to finish. `key` must outlive `put`. */
int nxc__put_begin(nxc_cache *cache, nxc_entry *entry, nxc__put *put);
int nxc__remove_begin(nxc_cache *cache, nxc_slice key, nxc__put *put);
int nxc__put_finish(nxc__put *put);  /* blocks; releases what `put` holds */
bool nxc__put_blocks(nxc__put *put); /* false: finishing waits for no disk */

/* ---- mark: now -> flush ------------------------------------------------------------ */

/* Marks for all processes. `*store`, a reference, is then to be flushed. */
int nxc__mark(nxc_cache *cache, const nxc_slice *tags, size_t tag_count, int64_t dead_after_ms,
              nxc__store **store);

/* Flushes, sharing the flush with others that wait for one; drops the reference. */
int nxc__mark_flush(nxc_cache *cache, nxc__store *store);

/* ---- others ------------------------------------------------------------------------ */

bool nxc__is_sane(nxc_slice s); /* NULL only when it is empty */

#endif
