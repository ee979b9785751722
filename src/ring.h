/* ring.h - the data file: reserve, write, publish, read, recycle.
 *
 * Records are appended at a cursor that runs through equal segments for ever;
 * entering a segment kills what it held a round ago. The index says where a key
 * may be; the record there says whether it is. Lock-free among processes.
 */
#ifndef NXC_RING_H
#define NXC_RING_H

#include "index.h"
#include "record.h"

typedef struct nxc__ring {
  nxc__index *index;
  int fd;
  atomic_bool no_nowait;         /* the file system refuses RWF_NOWAIT */
  atomic_llong no_room_until_ms; /* the disk was full: not asked again before */
  atomic_llong busy_until_ms;    /* writes slept that must not: workers write */
  atomic_bool suspected;         /* the last of those took long: the next is watched */
  atomic_llong wrote_to;         /* where in the file the last record written ends, ... */
  atomic_llong wrote_at_ms;      /* ... and when that was */
  atomic_int writing;            /* writes under way, for which another would have to wait */
} nxc__ring;

/* Where a version of a key stands in the index, and the word that says so: as
 * long as the slot holds the word, no process has replaced or removed it. */
typedef struct nxc__token {
  nxc__word *slot; /* NULL: no disk */
  uint64_t word;
} nxc__token;

/* Codes of this layer beside nxc_result. */
enum { NXC__CORRUPT = -100, NXC__WOULD_BLOCK = -101 };

/* Opens the data file of the index. NXC_OK, NXC_E_FORMAT, NXC_E_IO (errno). */
int nxc__ring_open(int dir, nxc__index *index, nxc__ring *ring);
void nxc__ring_close(nxc__ring *ring);

/* Single records will be read, some on threads that must not wait: with what the kernel
 * reads ahead a call that asks for a byte can take ten milliseconds. */
void nxc__ring_read_no_further(const nxc__ring *ring);

/* The key will be looked for soon: its words are fetched into the processor's cache. */
void nxc__ring_expect(const nxc__ring *ring, nxc__hash hash);

size_t nxc__ring_largest_bytes(const nxc__ring *ring);

typedef struct nxc__write {
  nxc__hash hash;
  const nxc_entry *entry; /* NULL: a tombstone */
  uint64_t word;          /* what will stand in the slot */
  bool moves;             /* second lives are due */
  bool at_once;           /* on a thread that must not sleep */
} nxc__write;

/* Takes the place, and with it the order among the versions of its key. Never
 * waits for a disk. NXC_OK, NXC_E_TOO_LARGE, NXC_E_IO: no place can be had. */
int nxc__ring_reserve(nxc__ring *ring, nxc__hash hash, const nxc_entry *entry, nxc__write *write);

/* Writes and publishes, always at the place that was reserved. Blocks.
 *   NXC_OK           it stands; the token says where
 *   NXC_SUPERSEDED   a newer version stands
 *   NXC_MEMORY_ONLY  it could not be written; a tombstone stands, with its token
 *   NXC_E_IO         it could not be written; nothing of the key stands, or nobody knows
 * For a tombstone NXC_MISS instead of the last two: nothing of the key stands. */
int nxc__ring_commit(nxc__ring *ring, const nxc__write *write, nxc__token *token);

/* Whether what was reserved can be written at once, without sleeping: it is small, and
 * the kernel has the pages that it shares with its neighbours. Never blocks. */
bool nxc__ring_writes_at_once(nxc__ring *ring, nxc__write *write);

/* No position can be given out any more: the store must be made anew. */
bool nxc__ring_is_spent(const nxc__ring *ring);

/* NXC_OK with a new reference and its token; NXC_MISS; NXC__CORRUPT;
 * NXC_E_IO; NXC_E_NOMEM; NXC__WOULD_BLOCK only with `nowait`. */
int nxc__ring_get(nxc__ring *ring, nxc__hash hash, nxc_slice key, bool nowait, nxc_entry **entry,
                  nxc__token *token);

static inline bool nxc__token_holds(const nxc__token *token) {
  return !token->slot || atomic_load(token->slot) == token->word;
}

/* Notes that the entry was used: it earns a second life. */
void nxc__ring_touch(nxc__ring *ring, const nxc__token *token);

/* Gives the next segment its blocks, and copies what was used, and `keep` says is alive,
 * out of the one that it will recycle: at most a quarter of a segment, never advancing. Blocks. */
void nxc__ring_move(nxc__ring *ring, bool (*keep)(void *arg, const nxc_entry *entry), void *arg);

/* Bytes of the file that are allocated. */
uint64_t nxc__ring_held_bytes(const nxc__ring *ring);

/* ---- looking from outside: nothing is counted, noted as used, or repaired --------- */

/* All words that stand, the oldest first; new memory. NXC_OK or NXC_E_NOMEM. */
int nxc__ring_list(const nxc__ring *ring, nxc__token **out, size_t *count);

/* The word of a key: NXC_OK or NXC_MISS. */
int nxc__ring_find(nxc__ring *ring, nxc__hash hash, nxc__token *token);

/* What stands there: NXC_OK with a new reference; NXC_MISS: nothing any more;
 * NXC__CORRUPT; NXC_E_IO; NXC_E_NOMEM. */
int nxc__ring_peek(nxc__ring *ring, const nxc__token *at, nxc_entry **entry);

/* What an entry takes on the disk. */
uint64_t nxc__ring_record_bytes(const nxc_entry *entry);

bool nxc__ring_was_used(const nxc__ring *ring, const nxc__token *at);

/* Takes a word out, as a read does that finds damage; false: it had changed. */
bool nxc__ring_forget(nxc__ring *ring, const nxc__token *at);

#endif
