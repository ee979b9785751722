/* memory.c - uthash finds, utlist orders, 2Q evicts.
 *
 *   new ----> probation --evicted--> ghost (a hash alone)
 *                 | used, then its turn      | put or read again
 *                 v                          v
 *             protected <---------------------     least recently used goes
 *
 * What is asked for once, as by a crawler, passes through probation, a fifth of the
 * tier, and pushes nothing out that is asked for often. With plain LRU everything is
 * protected. Values are freed by their last user, not by eviction.
 *
 * Bytes are what the allocator really gave: the entry's block, the item's, the
 * table's and the ghosts'. They never exceed the budget, except that an empty table
 * itself takes about 4 KB.
 */
#include "memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The key is a hash already; uthash must not abort when memory runs out. */
#define HASH_FUNCTION(key, size, out) ((out) = (unsigned)((const nxc__hash *)(key))->lo)
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define PROBATION_PART 5 /* a fifth */
#define FEWEST_GHOSTS 64

enum queue { PROBATION, PROTECTED, QUEUES };

typedef struct item {
  nxc__hash hash;
  nxc_entry *entry;
  nxc__known known;
  size_t entry_bytes;
  size_t bytes;
  struct item *prev, *next;
  UT_hash_handle hh;
  enum queue queue;
  bool used; /* since it came */
} item;

typedef struct queue_of_items {
  item *first; /* the newest, or the most recently used; its `prev` is the last */
  uint64_t bytes;
} queue_of_items;

/* A set of hashes that forgets: a later ghost may take an earlier one's place, and one
 * counts only until as many have come after it as there are items. */
typedef struct ghosts {
  uint64_t *words; /* {half a hash 32 | number 32}; NULL: none yet */
  size_t places;   /* a power of two */
  uint32_t number; /* of the last one */
} ghosts;

struct nxc__memory {
  item *table;
  queue_of_items queues[QUEUES];
  ghosts ghosts;
  nxc__memory_use use;
  bool lru;
};

nxc__memory *nxc__memory_create(uint64_t bytes, uint64_t items, bool lru) {
  nxc__memory *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->use.limit_bytes = bytes;
  m->use.limit_items = items;
  m->lru = lru;
  return m;
}

/* Of the entries in all tiers of this process. */
static _Atomic uint64_t kept_bytes;

static void count_bytes(nxc__memory *m) {
  m->use.items = HASH_COUNT(m->table);
  m->use.bytes = m->queues[PROBATION].bytes + m->queues[PROTECTED].bytes;
  if (m->table) m->use.bytes += HASH_OVERHEAD(hh, m->table);
  if (m->ghosts.words) m->use.bytes += malloc_usable_size(m->ghosts.words) + sizeof(size_t);
}

/* ---- ghosts ---------------------------------------------------------------------- */

static uint64_t *ghost_place(const ghosts *g, nxc__hash hash) {
  return &g->words[hash.hi & (g->places - 1)];
}

/* Twice as many places as items; what was remembered in fewer is forgotten. */
static void make_room_for_ghosts(nxc__memory *m) {
  size_t places = m->ghosts.places ? m->ghosts.places : FEWEST_GHOSTS;
  while (places < 2 * m->use.items) places *= 2;
  if (places == m->ghosts.places) return;
  free(m->ghosts.words);
  m->ghosts = (ghosts){.words = calloc(places, sizeof(uint64_t)), .places = places};
  if (!m->ghosts.words) m->ghosts.places = 0;
}

static void remember(nxc__memory *m, nxc__hash hash) {
  make_room_for_ghosts(m);
  if (!m->ghosts.words) return;
  *ghost_place(&m->ghosts, hash) = hash.hi >> 32 << 32 | ++m->ghosts.number;
}

static bool is_remembered(const nxc__memory *m, nxc__hash hash) {
  const ghosts *g = &m->ghosts;
  if (!g->words) return false;
  uint64_t word = *ghost_place(g, hash);
  return word && word >> 32 == hash.hi >> 32 && g->number - (uint32_t)word < m->use.items;
}

static void forget_ghosts(nxc__memory *m) {
  free(m->ghosts.words);
  m->ghosts = (ghosts){.words = NULL};
}

/* ---- queues ---------------------------------------------------------------------- */

static void enqueue(nxc__memory *m, item *it, enum queue queue) {
  it->queue = queue;
  DL_PREPEND(m->queues[queue].first, it);
  m->queues[queue].bytes += it->bytes;
}

static void dequeue(nxc__memory *m, item *it) {
  DL_DELETE(m->queues[it->queue].first, it);
  m->queues[it->queue].bytes -= it->bytes;
}

static void drop(nxc__memory *m, item *it) {
  HASH_DEL(m->table, it);
  dequeue(m, it);
  m->use.entry_bytes -= it->entry_bytes;
  atomic_fetch_sub(&kept_bytes, it->entry_bytes);
  nxc_entry_unref(it->entry);
  free(it);
  count_bytes(m);
}

/* What has to go next; the newest one only when it is the last of all. */
static item *next_to_go(const nxc__memory *m) {
  const queue_of_items *probation = &m->queues[PROBATION], *rest = &m->queues[PROTECTED];
  if (!rest->first) return probation->first ? probation->first->prev : NULL;
  bool above_its_part = probation->bytes * PROBATION_PART > probation->bytes + rest->bytes;
  bool has_older = probation->first && probation->first->prev != probation->first;
  return above_its_part && has_older ? probation->first->prev : rest->first->prev;
}

static bool is_over(const nxc__memory *m, uint64_t coming_bytes, uint64_t coming_items) {
  return m->use.bytes + coming_bytes > m->use.limit_bytes ||
         (m->use.limit_items && m->use.items + coming_items > m->use.limit_items);
}

static void evict(nxc__memory *m, uint64_t coming_bytes, uint64_t coming_items) {
  item *it;
  while (is_over(m, coming_bytes, coming_items) && (it = next_to_go(m))) {
    if (it->queue == PROBATION && it->used) {
      it->used = false;
      dequeue(m, it);
      enqueue(m, it, PROTECTED);
      continue;
    }
    if (it->queue == PROBATION) remember(m, it->hash);
    drop(m, it);
    m->use.evictions++;
  }
  if (!m->table) forget_ghosts(m);
  count_bytes(m);
}

/* ---- the tier -------------------------------------------------------------------- */

static item *find(nxc__memory *m, nxc__hash hash, nxc_slice key) {
  item *it = NULL;
  HASH_FIND(hh, m->table, &hash, sizeof hash, it);
  return it && nxc__record_has_key(it->entry, key) ? it : NULL;
}

nxc_entry *nxc__memory_find(nxc__memory *m, nxc__hash hash, nxc_slice key, nxc__known **known) {
  item *it = find(m, hash, key);
  if (!it) return NULL;
  it->used = true;
  if (it->queue == PROTECTED && it != m->queues[PROTECTED].first) {
    dequeue(m, it);
    enqueue(m, it, PROTECTED);
  }
  *known = &it->known;
  return it->entry;
}

/* Where a hash goes now, given what stood or once stood under it. That is dropped: of
 * two keys with one 128-bit hash the later one takes the place. */
static enum queue replace(nxc__memory *m, nxc__hash hash) {
  item *it = NULL;
  HASH_FIND(hh, m->table, &hash, sizeof hash, it);
  bool proven = it ? it->used || it->queue == PROTECTED : is_remembered(m, hash);
  if (it) drop(m, it);
  return proven || m->lru ? PROTECTED : PROBATION;
}

bool nxc__memory_insert(nxc__memory *m, nxc__hash hash, nxc_entry *entry, const nxc__known *known) {
  enum queue queue = replace(m, hash);
  size_t entry_bytes = nxc__record_held_bytes(entry);
  if (entry_bytes + sizeof(item) > m->use.limit_bytes) return false;
  item *it = malloc(sizeof *it);
  if (!it) return false;

  *it = (item){.hash = hash, .entry = nxc_entry_ref(entry), .known = *known};
  it->entry_bytes = entry_bytes;
  it->bytes = entry_bytes + malloc_usable_size(it) + sizeof(size_t);
  evict(m, it->bytes, 1);
  HASH_ADD(hh, m->table, hash, sizeof it->hash, it);
  if (!it->hh.tbl) { /* uthash found no memory for its table */
    nxc_entry_unref(entry);
    free(it);
    return false;
  }
  enqueue(m, it, queue);
  m->use.entry_bytes += it->entry_bytes;
  atomic_fetch_add(&kept_bytes, it->entry_bytes);
  count_bytes(m);
  evict(m, 0, 0); /* the table itself may have grown */
  return m->table != NULL;
}

void nxc__memory_remove(nxc__memory *m, nxc__hash hash, nxc_slice key) {
  item *it = find(m, hash, key);
  if (it) drop(m, it);
}

void nxc__memory_clear(nxc__memory *m) {
  for (int q = 0; q < QUEUES; q++) {
    while (m->queues[q].first) drop(m, m->queues[q].first);
  }
  forget_ghosts(m);
  count_bytes(m);
}

void nxc__memory_resize(nxc__memory *m, uint64_t bytes, uint64_t items) {
  m->use.limit_bytes = bytes;
  m->use.limit_items = items;
  evict(m, 0, 0);
}

uint64_t nxc_pinned_bytes(void) {
  uint64_t kept = atomic_load(&kept_bytes), live = nxc__record_live_bytes();
  return live > kept ? live - kept : 0; /* others may have come and gone between the two */
}

nxc__memory_use nxc__memory_usage(const nxc__memory *m) {
  return m->use;
}

void nxc__memory_destroy(nxc__memory *m) {
  if (!m) return;
  nxc__memory_clear(m);
  free(m);
}
