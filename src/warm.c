/* warm.c - fills the memory tier with what was in use before: for a process that has
 * just started.
 *
 * From the newest entry on disk backwards, those with the access mark are read and
 * judged, until what they take would fill the tier. Then they go in, the oldest first,
 * so that the newest are the last to go. Nothing that is in the tier already is pushed
 * out, nothing is counted as a look-up, and no access mark is made: who warms is not
 * somebody who asked.
 */
#include <stdlib.h>

#include "cache.h"
#include "nextcache_admin.h"
#include "tags.h"

#define ITEM_BYTES 160 /* about what the tier needs for an entry beside its bytes */

typedef struct found {
  nxc_entry *entry; /* a reference */
  nxc__token token;
  nxc__known known;
} found;

typedef struct harvest {
  nxc__engine *engine;
  nxc__store *store;
  found *list;
  size_t count, room;
  uint64_t bytes, most_bytes, most_items;
  uint64_t deadline_ns;
} harvest;

/* Whether a look-up without further tags would answer with it. */
static bool is_alive(const harvest *h, found *f) {
  nxc__index *x = h->store->index;
  nxc__life life = nxc__life_of(f->entry);
  int64_t dead_at_ms;
  nxc_why why;
  int tag;
  f->known = (nxc__known){.token = f->token, .epoch = nxc__epoch_load(x)};
  nxc__tags_judge_entry(x, f->entry, &f->known.fate);
  return nxc__verdict(&life, &f->known.fate, f->known.epoch, nxc__wall_ms(h->engine), &why,
                      &dead_at_ms, &tag) != NXC_MISS;
}

/* 1: go on; 0: it is enough; or an error. */
static int gather(harvest *h, const nxc__token *at) {
  found f = {.token = *at};
  if (uv_hrtime() > h->deadline_ns) return 0;
  if (!nxc__ring_was_used(&h->store->ring, at)) return 1;
  int rc = nxc__ring_peek(&h->store->ring, at, &f.entry);
  if (rc == NXC_E_NOMEM) return rc;
  if (rc != NXC_OK || !is_alive(h, &f)) {
    nxc_entry_unref(f.entry);
    return 1;
  }
  uint64_t bytes = nxc__record_held_bytes(f.entry) + ITEM_BYTES;
  bool full = h->bytes + bytes > h->most_bytes || h->count >= h->most_items;
  if (!full && h->count == h->room) {
    size_t room = h->room ? 2 * h->room : 256;
    found *list = realloc(h->list, room * sizeof *list);
    if (list) h->list = list, h->room = room;
  }
  if (full || h->count == h->room) {
    nxc_entry_unref(f.entry);
    return full ? 0 : NXC_E_NOMEM;
  }
  h->list[h->count++] = f;
  h->bytes += bytes;
  return 1;
}

/* Lets one in; false: the tier is of another store now. */
static bool lift(harvest *h, found *f, nxc_warmed *out) {
  nxc__engine *e = h->engine;
  nxc__known *known;
  nxc_record r;
  nxc_entry_read(f->entry, &r);
  nxc__hash hash = nxc__hash_key(&h->store->index->secret, r.key);
  uv_mutex_lock(&e->lock);
  bool same = e->store == h->store;
  if (same && nxc__token_holds(&f->token) && !nxc__memory_find(e->memory, hash, r.key, &known) &&
      nxc__memory_insert(e->memory, hash, f->entry, &f->known)) {
    out->entries++;
    out->bytes += nxc__record_held_bytes(f->entry);
    nxc__show_memory(e);
  }
  uv_mutex_unlock(&e->lock);
  return same;
}

static int warm(harvest *h, nxc_warmed *out) {
  nxc__token *list;
  size_t count;
  int rc = nxc__ring_list(&h->store->ring, &list, &count);
  if (rc != NXC_OK) return rc;
  for (rc = 1; count && rc == 1;) rc = gather(h, &list[--count]);
  free(list);
  for (size_t i = h->count; i && lift(h, &h->list[i - 1], out);) i--;
  for (size_t i = 0; i < h->count; i++) nxc_entry_unref(h->list[i].entry);
  free(h->list);
  return rc < 0 ? rc : NXC_OK;
}

static uint64_t deadline_of(int64_t max_ms) {
  uint64_t ns;
  bool never = __builtin_mul_overflow((uint64_t)max_ms, UINT64_C(1000000), &ns) ||
               __builtin_add_overflow(ns, uv_hrtime(), &ns);
  return never ? UINT64_MAX : ns;
}

int nxc_warm(nxc_cache *cache, int64_t max_ms, nxc_warmed *out) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!out || max_ms < 0) return NXC_E_INVALID;
  NXC__UNCANCELLED();
  nxc__engine *e = cache->engine;
  *out = (nxc_warmed){.entries = 0};
  harvest h = {.engine = e, .deadline_ns = deadline_of(max_ms)};
  uv_mutex_lock(&e->lock);
  h.store = nxc__store_ref(e->store);
  nxc__memory_use use = nxc__memory_usage(e->memory);
  uv_mutex_unlock(&e->lock);
  /* An eighth stays free for the tables, and for what comes meanwhile. */
  uint64_t most_bytes = use.limit_bytes - use.limit_bytes / 8;
  h.most_bytes = most_bytes > use.bytes ? most_bytes - use.bytes : 0;
  h.most_items = !use.limit_items              ? UINT64_MAX
                 : use.limit_items > use.items ? use.limit_items - use.items
                                               : 0;
  if (h.store->disk && h.most_items) rc = warm(&h, out);
  nxc__store_unref(h.store);
  return rc;
}
