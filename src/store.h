/* store.h - the index and the ring of one cache directory, as long as that
 * directory is the same one; and what stands in for them without a disk.
 */
#ifndef NXC_STORE_H
#define NXC_STORE_H

#include "ring.h"

typedef struct nxc__store {
  atomic_uint refs;
  nxc__index *index;
  nxc__ring ring;
  bool disk;   /* false: anonymous index, no ring */
  char path[]; /* of the index, which every put looks at; not of an anonymous one */
} nxc__store;

typedef struct nxc__place {
  const char *dir;     /* as the host named it */
  uint64_t disk_bytes; /* NXC_ADOPT: as it is */
  uint32_t tag_rows;
  nxc__clock clock;
} nxc__place;

typedef struct nxc__trouble { /* what is wrong with a directory, for people */
  bool fatal;                 /* it cannot be used */
  char text[512];
} nxc__trouble;

/* Opens the directory's store, making it when there is none. `before` is the store
 * that was in use until now, or NULL: if it is in its place no more, all who map it
 * are told, and nothing from before is believed unless its marks were kept. NXC_OK; NXC_MEMORY_ONLY with the trouble; NXC_E_NOMEM.
 * With NXC_OK a text in the trouble is a remark. */
int nxc__store_open(const nxc__place *place, const nxc__store *before, nxc__store **out,
                    nxc__trouble *trouble);

/* A store in memory. Content from up to `origin_wall_ms` is not believed. */
int nxc__store_anonymous(uint32_t tag_rows, int64_t now_ms, int64_t origin_wall_ms,
                         nxc__store **out);

nxc__store *nxc__store_ref(nxc__store *store);
void nxc__store_unref(nxc__store *store); /* NULL is allowed */

/* Whether the directory still holds this store: 1, or 0, or -1 when the disk fails to
 * tell. One stat(), two with an elder. */
int nxc__store_is_current(const nxc__store *store, const char *dir);

static inline bool nxc__store_is_dead(const nxc__store *store) {
  return nxc__epoch_load(store->index) & NXC__EPOCH_DEAD;
}

/* Tells every process that maps the store that it is over. */
void nxc__store_kill(nxc__store *store);

/* Kills the store, and its elder; who opens the directory next makes both anew, and
 * believes nothing from before. */
void nxc__store_clear(nxc__store *store, const char *dir);

#endif
