/* memory.h - the memory tier: a hash table that evicts, bounded in bytes and in
 * items. Not thread-safe: its owner holds a lock around every call.
 */
#ifndef NXC_MEMORY_H
#define NXC_MEMORY_H

#include "hash.h"
#include "record.h"
#include "ring.h"
#include "verdict.h"

typedef struct nxc__memory nxc__memory;

/* What is known of an entry beside its bytes; the owner reads and writes it. */
typedef struct nxc__known {
  nxc__token token;
  uint64_t epoch; /* at which `fate` was looked up; 0: never */
  nxc__fate fate; /* by the entry's own tags */
} nxc__known;

/* NULL: out of memory. */
nxc__memory *nxc__memory_create(uint64_t bytes, uint64_t items, bool lru);
void nxc__memory_destroy(nxc__memory *memory); /* NULL is allowed */

/* The entry of a key, borrowed, whose use is remembered; NULL when there is none. `*known` is valid until the next call on the tier. */
nxc_entry *nxc__memory_find(nxc__memory *memory, nxc__hash hash, nxc_slice key, nxc__known **known);

/* Keeps an entry in place of whatever stood under its key, evicting others. Returns false when it is not kept: too large, or no memory. */
bool nxc__memory_insert(nxc__memory *memory, nxc__hash hash, nxc_entry *entry,
                        const nxc__known *known);

void nxc__memory_remove(nxc__memory *memory, nxc__hash hash, nxc_slice key);
void nxc__memory_clear(nxc__memory *memory);
void nxc__memory_resize(nxc__memory *memory, uint64_t bytes, uint64_t items);

typedef struct nxc__memory_use {
  uint64_t bytes; /* what the tier holds from the process, its table included */
  uint64_t entry_bytes;
  uint64_t limit_bytes, limit_items;
  uint64_t items;
  uint64_t evictions; /* since it was created */
} nxc__memory_use;

nxc__memory_use nxc__memory_usage(const nxc__memory *memory);

#endif
