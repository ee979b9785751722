/* memory.c - uthash finds, utlist orders, LRU evicts.
 *
 *   item -> item -> item        most recently used first
 *    `entry (a reference)       freed by its last user, not by eviction
 *
 * Bytes are what the allocator really gave: the entry's block, the item's, and
 * the table's. They never exceed the budget, except that an empty table itself
 * takes about 4 KB.
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

typedef struct item {
  nxc__hash hash;
  nxc_entry *entry;
  nxc__known known;
  size_t entry_bytes;
  size_t bytes;
  struct item *prev, *next;
  UT_hash_handle hh;
} item;

struct nxc__memory {
  item *table;
  item *order;
  uint64_t item_bytes; /* of all items and entries */
  nxc__memory_use use;
  uint64_t limit_items;
};

nxc__memory *nxc__memory_create(uint64_t bytes, uint64_t items) {
  nxc__memory *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->use.limit_bytes = bytes;
  m->limit_items = items;
  return m;
}

static void count_table(nxc__memory *m) {
  m->use.items = HASH_COUNT(m->table);
  m->use.bytes = m->item_bytes + (m->table ? HASH_OVERHEAD(hh, m->table) : 0);
}

static void drop(nxc__memory *m, item *it) {
  HASH_DEL(m->table, it);
  DL_DELETE(m->order, it);
  m->item_bytes -= it->bytes;
  m->use.entry_bytes -= it->entry_bytes;
  nxc_entry_unref(it->entry);
  free(it);
  count_table(m);
}

static void evict(nxc__memory *m, uint64_t coming_bytes, uint64_t coming_items) {
  while (m->order && (m->use.bytes + coming_bytes > m->use.limit_bytes ||
                      (m->limit_items && m->use.items + coming_items > m->limit_items))) {
    drop(m, m->order->prev); /* the head's `prev` is the tail */
    m->use.evictions++;
  }
}

static item *find(nxc__memory *m, nxc__hash hash, nxc_slice key) {
  item *it = NULL;
  HASH_FIND(hh, m->table, &hash, sizeof hash, it);
  return it && nxc__record_has_key(it->entry, key) ? it : NULL;
}

nxc_entry *nxc__memory_find(nxc__memory *m, nxc__hash hash, nxc_slice key, nxc__known **known) {
  item *it = find(m, hash, key);
  if (!it) return NULL;
  if (it != m->order) {
    DL_DELETE(m->order, it);
    DL_PREPEND(m->order, it);
  }
  *known = &it->known;
  return it->entry;
}

/* Two keys with one 128-bit hash: the later one takes the place. */
static void drop_hash(nxc__memory *m, nxc__hash hash) {
  item *it = NULL;
  HASH_FIND(hh, m->table, &hash, sizeof hash, it);
  if (it) drop(m, it);
}

bool nxc__memory_insert(nxc__memory *m, nxc__hash hash, nxc_entry *entry, const nxc__known *known) {
  drop_hash(m, hash);
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
  DL_PREPEND(m->order, it);
  m->item_bytes += it->bytes;
  m->use.entry_bytes += it->entry_bytes;
  count_table(m);
  evict(m, 0, 0); /* the table itself may have grown */
  return m->order != NULL;
}

void nxc__memory_remove(nxc__memory *m, nxc__hash hash, nxc_slice key) {
  item *it = find(m, hash, key);
  if (it) drop(m, it);
}

void nxc__memory_clear(nxc__memory *m) {
  while (m->order) drop(m, m->order);
}

void nxc__memory_resize(nxc__memory *m, uint64_t bytes, uint64_t items) {
  m->use.limit_bytes = bytes;
  m->limit_items = items;
  evict(m, 0, 0);
}

nxc__memory_use nxc__memory_usage(const nxc__memory *m) {
  return m->use;
}

void nxc__memory_destroy(nxc__memory *m) {
  if (!m) return;
  nxc__memory_clear(m);
  free(m);
}
