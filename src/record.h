/* record.h - the one byte format: build, verify, slices, reference counting.
 *
 * An entry is a counted block that holds one record; docs/format.md describes
 * the bytes. The same bytes stand in memory, on disk and on a wire.
 */
#ifndef NXC_RECORD_H
#define NXC_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "nextcache.h"

#define NXC__RECORD_MAGIC 0x3152584eu /* "NXR1" */
#ifndef NXC__RECORD_VERSION           /* tests/versions has another */
#define NXC__RECORD_VERSION 1
#endif

typedef struct nxc__head { /* little-endian, 56 bytes, no padding */
  uint32_t magic;
  uint32_t size; /* of the whole record, this head included */
  uint8_t version;
  uint8_t class_id;
  uint16_t reserved; /* 0 */
  uint32_t key_size;
  uint32_t meta_size;
  uint16_t tag_count;
  uint16_t part_count;
  uint64_t birth;
  int64_t created_ms;
  int64_t revalidate_ms;
  int64_t expire_ms;
} nxc__head;

#define NXC__RECORD_ROOM 24 /* bytes before a record, for what a disk puts there */

struct nxc_entry {
  atomic_uint refs;
  atomic_bool room_is_taken;
  uint64_t id;
  _Alignas(8) unsigned char room[NXC__RECORD_ROOM]; /* so that one read fills both */
  nxc__head record[];                               /* the first of record->size bytes */
};

/* Builds an entry with one reference from `in`, whose birth and created_ms must
 * be set. NXC_E_INVALID, NXC_E_TOO_LARGE (4 GB), NXC_E_NOMEM. */
int nxc__record_build(const nxc_record *in, nxc_entry **out);

/* An entry with room for `size` bytes of record, to be read into; NULL when out
 * of memory. It must pass nxc__record_check() before any other use. */
nxc_entry *nxc__record_blank(size_t size);

/* Makes room for just `size` bytes, keeping what was read; false: out of memory. */
bool nxc__record_fit(nxc_entry **entry, size_t size);

/* Whether `size` bytes at `bytes` are a well-formed record of just that size. */
bool nxc__record_check(const void *bytes, size_t size);

/* The room before the record, for the first who asks: NULL for all others. */
void *nxc__record_take_room(const nxc_entry *entry);

bool nxc__record_has_key(const nxc_entry *entry, nxc_slice key);

/* What an entry takes from the process, allocator included. */
size_t nxc__record_held_bytes(const nxc_entry *entry);

/* Bytes held by all entries of this process, in a tier or pinned by users. */
uint64_t nxc__record_live_bytes(void);

#endif
