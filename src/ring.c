/* ring.c - one ring of bytes, one table of hints, six rules.
 *
 *   slot word  fingerprint 16 | moved 1 | tombstone 1 | sequence 28 | unit 18
 *   on disk    prefix 24 bytes | record            at unit * 64 of the segment
 *
 * A position is {segment sequence, unit}; it is given out once and never again,
 * so a slot word never means two things. A segment's place in the file is its
 * sequence modulo the number of segments; a record is alive while the segment
 * word of that place still holds its sequence.
 *
 * When two writers meet:
 *  1. Put and remove clear the dead words of their fingerprint: one left behind
 *     would keep old tokens valid for ever.
 *  2. A genuine word beats a moved one: a copy is newer in position only. Between a
 *     copy and a genuine word of the very segment that is being evacuated nobody can
 *     tell, so both go.
 *  3. Of two genuine words the higher position wins; who sees both clears the
 *     loser before using the winner, an inserter looks again after its CAS, and a
 *     reader before it keeps what it read.
 *  4. A remove leaves a positioned tombstone, also where nothing stood: it beats
 *     an older put in flight.
 *  5. The checksum covers the whole record, and its position: a writer that was
 *     stopped and wakes after a round may overwrite anything.
 *  6. (tags.c) The floor rises before a tag row is freed.
 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "times.h"

#ifndef RWF_NOWAIT /* musl before 1.2.5: the kernel has it all the same */
#define RWF_NOWAIT 8
static ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags) {
  return syscall(SYS_preadv2, fd, iov, (long)count, (long)at, 0L, flags);
}
#endif

#define DISK_MAGIC 0x4452584eu    /* "NXRD" */
#define FIRST_READ 4096           /* where nothing is known of the size */
#define PEEK_ABOVE (96u << 10)    /* there a block of the wrong size costs more than a look */
#define INLINE_LIMIT (128u << 10) /* a larger one is not read on an event loop, cached or not */
#define AT_ONCE_LIMIT (64u << 10) /* a larger record is not written on an event loop */
#define BUSY_MS 10000             /* after two writes there that slept all the same */
#define SUSPECT_NS 100000         /* a write that took longer may have slept */
#define JUST_MS 1000              /* nothing written since is out of the kernel's cache again */
#define TRIES 64                  /* of a loop that other processes can upset */
#define SMALL_OCTAVE 4            /* smaller records are of one size class */
#define SMALL_UNITS (UINT64_C(1) << SMALL_OCTAVE)
#define MOVES_PART 8      /* after so much of a segment the next one is looked through */
#define FULL_DISK_MS 1000 /* between two rounds that look for room on a full disk */

#define SEQ_BITS 28
#define UNIT_BITS 18
#define SEQ_LIMIT (UINT64_C(1) << SEQ_BITS)
#define POSITION_MASK ((UINT64_C(1) << (SEQ_BITS + UNIT_BITS)) - 1)
#define TOMBSTONE (UINT64_C(1) << 46)
#define MOVED (UINT64_C(1) << 47)
#define NEVER_HOLDS UINT64_MAX        /* moved and a tombstone: no such word */
#define ALLOCATED (UINT64_C(1) << 63) /* of a segment word */
#define USED_MAX 3                    /* of the byte beside a slot */

typedef struct prefix { /* little-endian, 24 bytes */
  uint32_t magic;
  uint32_t size; /* of the record that follows */
  uint64_t position;
  uint64_t sum; /* of the three above, seeded with the record's own checksum */
} prefix;
_Static_assert(sizeof(prefix) == 24, "the prefix is a format");
_Static_assert(sizeof(prefix) == NXC__RECORD_ROOM, "an entry has room for it");

static const prefix *prefix_of(const nxc_entry *entry) {
  return (const prefix *)(const void *)entry->room;
}

/* What stands in a prefix beside the rest of it. */
static uint64_t sum_of(const nxc__ring *r, const prefix *p, const nxc_entry *entry) {
  uint64_t sum = nxc__checksum(entry->record, p->size, r->index->seed);
  return nxc__checksum(p, offsetof(prefix, sum), sum);
}

static uint64_t word_seq(uint64_t word) {
  return (word & POSITION_MASK) >> UNIT_BITS;
}

static uint64_t word_fingerprint(uint64_t word) {
  return word >> 48;
}

static uint64_t word_make(nxc__hash hash, uint64_t flags, uint64_t position) {
  return (hash.hi >> 48) << 48 | flags | position;
}

/* ---- opening ------------------------------------------------------------------- */

int nxc__ring_open(int dir, nxc__index *index, nxc__ring *ring) {
  char name[48];
  struct stat st;

  nxc__index_data_name(index->instance, name);
  int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    bool missing = errno == ENOENT || errno == ELOOP || errno == EISDIR || errno == ENXIO;
    return missing ? NXC_E_FORMAT : NXC_E_IO;
  }
  if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
    close(fd);
    return NXC_E_FORMAT;
  }
  ring->index = index;
  ring->fd = fd;
  atomic_init(&ring->no_nowait, false);
  atomic_init(&ring->no_room_until_ms, 0);
  atomic_init(&ring->busy_until_ms, 0);
  atomic_init(&ring->suspected, false);
  atomic_init(&ring->wrote_to, -1);
  atomic_init(&ring->wrote_at_ms, 0);
  atomic_init(&ring->writing, 0);
  return NXC_OK;
}

void nxc__ring_read_no_further(const nxc__ring *ring) {
  (void)posix_fadvise(ring->fd, 0, 0, POSIX_FADV_RANDOM);
}

void nxc__ring_close(nxc__ring *ring) {
  close(ring->fd);
}

size_t nxc__ring_largest_bytes(const nxc__ring *ring) {
  return ring->index->geometry.segment_bytes - sizeof(prefix);
}

uint64_t nxc__ring_held_bytes(const nxc__ring *ring) {
  struct stat st;
  return fstat(ring->fd, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

/* Another process was in the way. Every loop that goes round for it is bounded. */
static void count_retry(nxc__ring *r) {
  nxc__count(r->index, NXC__C_RETRIES, 1);
}

static nxc__word *bucket_of(const nxc__ring *r, nxc__hash hash) {
  return r->index->slots + (size_t)nxc__hash_place(hash.lo, r->index->geometry.buckets) * NXC__WAYS;
}

void nxc__ring_expect(const nxc__ring *r, nxc__hash hash) {
  const nxc__word *bucket = bucket_of(r, hash);
  __builtin_prefetch(bucket, 1);
  __builtin_prefetch(&r->index->access[bucket - r->index->slots], 1);
}

/* ---- positions ----------------------------------------------------------------- */

static nxc__word *segment_word(const nxc__ring *r, uint64_t seq) {
  return &r->index->segments[seq % r->index->geometry.segments];
}

static bool is_alive(const nxc__ring *r, uint64_t word) {
  uint64_t seq = word_seq(word);
  uint64_t unit = word & ((1u << UNIT_BITS) - 1);
  return (atomic_load(segment_word(r, seq)) & ~ALLOCATED) == seq &&
         unit < r->index->geometry.segment_bytes / NXC__UNIT;
}

/* Whether nothing was written into the segment before: sequences begin at the number of
 * segments. */
static bool is_first_round(const nxc__ring *r, uint64_t seq) {
  return seq < 2 * (uint64_t)r->index->geometry.segments;
}

static off_t file_offset(const nxc__ring *r, uint64_t word) {
  uint64_t place = word_seq(word) % r->index->geometry.segments;
  uint64_t unit = word & ((1u << UNIT_BITS) - 1);
  return (off_t)(place * r->index->geometry.segment_bytes + unit * NXC__UNIT);
}

/* Leaves the segment that the cursor `seen` points into. Anybody may finish what
 * a killed process began; a late one changes nothing. */
static void advance(nxc__ring *r, uint64_t seen) {
  nxc__header *h = r->index->header;
  uint64_t next = (seen >> 32) + 1, n = r->index->geometry.segments;
  nxc__word *word = segment_word(r, next);
  uint64_t holds = atomic_load(word);

  /* Only while the cursor stands is `holds` the sequence of the round before. */
  if (atomic_load(&h->cursor) != seen) return;
  if (next >= atomic_load(&h->ceiling)) {
    nxc__word_raise(&h->ceiling, next + n * NXC__CEILING_ROUNDS);
    (void)nxc__index_flush(r->index);
  }
  uint64_t target = next << 32;
  if ((holds & ~ALLOCATED) < next) {
    if (!atomic_compare_exchange_strong(word, &holds, next | (holds & ALLOCATED))) return;
    if (holds & ~ALLOCATED) nxc__count(r->index, NXC__C_DISK_RECYCLED, 1);
  } else if ((holds & ~ALLOCATED) > next) { /* damage: never go back, and end if need be */
    uint64_t seq = holds & ~ALLOCATED;
    if (seq > SEQ_LIMIT) seq = SEQ_LIMIT;
    target = seq << 32 | r->index->geometry.segment_bytes / NXC__UNIT;
  }
  atomic_compare_exchange_strong(&h->cursor, &seen, target);
}

/* Gives the segment its blocks, so that writing into it cannot run out of disk. Where a
 * file system does not know how, a full disk costs the entry that meets it. */
static bool allocate(nxc__ring *r, uint64_t seq, uint64_t holds) {
  uint64_t bytes = r->index->geometry.segment_bytes;
  uint64_t place = seq % r->index->geometry.segments;
  int rc;

  do rc = fallocate(r->fd, 0, (off_t)(place * bytes), (off_t)bytes);
  while (rc && errno == EINTR);
  if (rc && errno != EOPNOTSUPP) return false;
  atomic_compare_exchange_strong(segment_word(r, seq), &holds, holds | ALLOCATED);
  return true;
}

/* A position for `units`, or 0. With `stay` it does not leave the segment. A
 * segment that cannot be allocated is left at once: the ring is shorter. */
static uint64_t try_to_reserve(nxc__ring *r, uint64_t units, bool needs_space, bool stay,
                               bool *moves) {
  nxc__header *h = r->index->header;
  uint64_t per_segment = r->index->geometry.segment_bytes / NXC__UNIT;
  uint64_t tries = 2 * (uint64_t)r->index->geometry.segments + TRIES;

  while (tries) {
    uint64_t cursor = atomic_load(&h->cursor);
    uint64_t seq = cursor >> 32, unit = cursor & UINT32_MAX;
    uint64_t holds = atomic_load(segment_word(r, seq));

    if (nxc__ring_is_spent(r)) return 0;
    bool fits = unit + units <= per_segment && (holds & ~ALLOCATED) == seq;
    if (fits && needs_space && !(holds & ALLOCATED)) fits = allocate(r, seq, holds);
    if (!fits) {
      if (stay) return 0;
      advance(r, cursor);
      tries--;
      continue;
    }
    if (atomic_compare_exchange_weak(&h->cursor, &cursor, cursor + units)) {
      *moves = unit < per_segment / MOVES_PART && unit + units >= per_segment / MOVES_PART;
      return seq << UNIT_BITS | unit;
    }
    count_retry(r);
  }
  return 0;
}

/* On a full disk a whole round of segments is tried in vain: not for every put. */
static uint64_t reserve_units(nxc__ring *r, uint64_t units, bool needs_space, bool stay,
                              bool *moves) {
  if (!needs_space) return try_to_reserve(r, units, false, stay, moves);
  if (nxc__steady_ms() < atomic_load_explicit(&r->no_room_until_ms, memory_order_relaxed)) return 0;
  uint64_t position = try_to_reserve(r, units, true, stay, moves);
  if (!position && !stay) atomic_store(&r->no_room_until_ms, nxc__steady_ms() + FULL_DISK_MS);
  return position;
}

bool nxc__ring_is_spent(const nxc__ring *r) {
  uint64_t seq = atomic_load(&r->index->header->cursor) >> 32;
  return seq == 0 || seq + 1 >= SEQ_LIMIT;
}

static int reserve(nxc__ring *r, nxc__hash hash, const nxc_entry *entry, uint64_t flags, bool stay,
                   nxc__write *w) {
  uint64_t bytes = entry ? sizeof(prefix) + entry->record->size : 1;
  uint64_t units = (bytes + NXC__UNIT - 1) / NXC__UNIT;

  *w = (nxc__write){.hash = hash, .entry = entry};
  if (entry) {
    if (entry->record->size > nxc__ring_largest_bytes(r)) return NXC_E_TOO_LARGE;
  } else {
    flags |= TOMBSTONE;
  }
  uint64_t position = reserve_units(r, units, entry != NULL, stay, &w->moves);
  if (!position) return NXC_E_IO;
  w->word = word_make(hash, flags, position);
  return NXC_OK;
}

int nxc__ring_reserve(nxc__ring *r, nxc__hash hash, const nxc_entry *entry, nxc__write *w) {
  return reserve(r, hash, entry, 0, false, w);
}

/* ---- the byte beside a slot ------------------------------------------------------ */

/* used 2 | size class 6: how often it was read, up to three times, and how large it is:
 * 0 unknown, 1 up to 16 units, then four classes to an octave. A hint like all else
 * here: it saves the second read of a larger record. */
static unsigned char size_class(size_t bytes) {
  unsigned last = (unsigned)((bytes + NXC__UNIT - 1) / NXC__UNIT) - 1;
  if (last < SMALL_UNITS) return 1;
  unsigned octave = 31 - (unsigned)__builtin_clz(last);
  return (unsigned char)(2 + (octave - SMALL_OCTAVE) * 4 + (last >> (octave - 2) & 3));
}

/* The most bytes that the class stands for, without the prefix. */
static size_t class_bytes(unsigned class) {
  if (class == 0) return FIRST_READ - sizeof(prefix);
  if (class == 1) return SMALL_UNITS * NXC__UNIT - sizeof(prefix);
  unsigned octave = SMALL_OCTAVE + (class - 2) / 4, quarter = (class - 2) % 4;
  uint64_t units = (UINT64_C(5) + quarter) << (octave - 2);
  return (size_t)(units * NXC__UNIT - sizeof(prefix));
}

static atomic_uchar *beside(const nxc__ring *r, const nxc__word *slot) {
  return &r->index->access[slot - r->index->slots];
}

static unsigned byte_beside(const nxc__ring *r, const nxc__word *slot) {
  return atomic_load_explicit(beside(r, slot), memory_order_relaxed);
}

static void note(nxc__ring *r, const nxc__word *slot, size_t record_bytes, unsigned used) {
  unsigned char byte = (unsigned char)(size_class(sizeof(prefix) + record_bytes) << 2 | used);
  atomic_store_explicit(beside(r, slot), byte, memory_order_relaxed);
}

static unsigned uses(const nxc__ring *r, const nxc__word *slot) {
  return byte_beside(r, slot) & USED_MAX;
}

static size_t guess_size(const nxc__ring *r, const nxc__word *slot) {
  return class_bytes(byte_beside(r, slot) >> 2);
}

void nxc__ring_touch(nxc__ring *r, const nxc__token *token) {
  if (!token->slot) return;
  unsigned byte = byte_beside(r, token->slot);
  if ((byte & USED_MAX) == USED_MAX) return;
  atomic_store_explicit(beside(r, token->slot), (unsigned char)(byte + 1), memory_order_relaxed);
}

/* ---- the bucket ---------------------------------------------------------------- */

static bool beats(uint64_t a, uint64_t b) {
  if ((a & MOVED) != (b & MOVED)) return !(a & MOVED);
  return (a & POSITION_MASK) > (b & POSITION_MASK);
}

/* A put that slept while its segment became the next to go, beside a copy made out
 * of that segment: either may be the newer. The cursor is read after both. */
static bool is_undecidable(const nxc__ring *r, uint64_t a, uint64_t b) {
  if ((a & MOVED) == (b & MOVED)) return false;
  uint64_t genuine = (a & MOVED) ? b : a;
  uint64_t cursor_seq = atomic_load(&r->index->header->cursor) >> 32;
  return word_seq(genuine) + r->index->geometry.segments <= cursor_seq + 1;
}

static bool clear_word(nxc__word *slot, uint64_t word) {
  return atomic_compare_exchange_strong(slot, &word, 0);
}

typedef struct spot {
  nxc__word *slot; /* NULL: none */
  uint64_t word;
} spot;

/* A copy and a genuine word of which nobody can tell the newer. The genuine one goes
 * first: its put has not returned yet, while that of the copy may have. */
static void clear_pair(const spot *a, const spot *b) {
  const spot *genuine = a->word & MOVED ? b : a, *copy = a->word & MOVED ? a : b;
  clear_word(genuine->slot, genuine->word);
  clear_word(copy->slot, copy->word);
}

/* One pass: the winner of the fingerprint, with losers (and, for writers, dead
 * words) cleared. False when another process interfered: look again. */
static bool scan_once(nxc__ring *r, nxc__word *bucket, uint64_t fingerprint, bool writer,
                      spot *best) {
  *best = (spot){NULL, 0};
  for (int i = 0; i < NXC__WAYS; i++) {
    uint64_t word = atomic_load(&bucket[i]);
    if (!word || word_fingerprint(word) != fingerprint) continue;
    if (!is_alive(r, word)) {
      if (writer && !clear_word(&bucket[i], word)) return false;
      continue;
    }
    if (best->slot && is_undecidable(r, word, best->word)) {
      clear_pair(best, &(spot){&bucket[i], word});
      return false;
    }
    spot loser = {&bucket[i], word};
    if (!best->slot || beats(word, best->word)) {
      spot winner = loser;
      loser = *best;
      *best = winner;
    }
    if (loser.slot && !clear_word(loser.slot, loser.word)) return false;
  }
  return true;
}

static bool scan(nxc__ring *r, nxc__hash hash, bool writer, spot *best) {
  for (int tries = 0; tries < TRIES; tries++) {
    if (scan_once(r, bucket_of(r, hash), hash.hi >> 48, writer, best)) return true;
    count_retry(r);
  }
  return false;
}

/* Where a key without a word of its own goes: an empty slot, a dead one, or the
 * one that the ring would recycle first. */
static spot choose(nxc__ring *r, nxc__word *bucket) {
  spot dead = {NULL, 0}, oldest = {NULL, 0};
  for (int i = 0; i < NXC__WAYS; i++) {
    uint64_t word = atomic_load(&bucket[i]);
    if (!word) return (spot){&bucket[i], 0};
    if (!is_alive(r, word)) {
      dead = (spot){&bucket[i], word};
    } else if (!oldest.slot || (word & POSITION_MASK) < (oldest.word & POSITION_MASK)) {
      oldest = (spot){&bucket[i], word};
    }
  }
  return dead.slot ? dead : oldest;
}

/* After the CAS: another inserter may have done the same in another slot meanwhile,
 * or cleared our word beside a copy, and then what is weaker must not stand. */
static int settle(nxc__ring *r, nxc__hash hash, uint64_t word, const nxc__word *slot) {
  for (int tries = 0; tries < TRIES; tries++) {
    spot winner;
    if (!scan(r, hash, true, &winner)) break;
    if (!winner.slot || (winner.slot == slot && winner.word == word)) return NXC_OK;
    if (!is_undecidable(r, word, winner.word) && beats(winner.word, word)) return NXC_SUPERSEDED;
    if (clear_word(winner.slot, winner.word)) return NXC_SUPERSEDED;
  }
  return NXC_E_IO;
}

/* Makes `word` the word of its key. */
static int publish(nxc__ring *r, nxc__hash hash, uint64_t word, nxc__token *token) {
  for (int tries = 0; tries < TRIES; tries++) {
    spot target;
    if (!scan(r, hash, true, &target)) break;
    if (target.slot && is_undecidable(r, word, target.word)) {
      if (!clear_word(target.slot, target.word)) continue;
      return NXC_SUPERSEDED;
    }
    if (target.slot && !beats(word, target.word)) return NXC_SUPERSEDED;
    bool is_new = !target.slot, evicts = false;
    if (is_new) {
      target = choose(r, bucket_of(r, hash));
      evicts = target.word && is_alive(r, target.word);
      /* Somebody published our key since we looked. */
      if (evicts && word_fingerprint(target.word) == hash.hi >> 48) continue;
    }
    uint64_t before = target.word;
    if (!atomic_compare_exchange_strong(target.slot, &before, word)) {
      count_retry(r);
      continue;
    }
    if (evicts) nxc__count(r->index, NXC__C_DISK_OVERFLOW, 1);
    if (is_new) atomic_store_explicit(beside(r, target.slot), 0, memory_order_relaxed);
    *token = (nxc__token){target.slot, word};
    return settle(r, hash, word, target.slot);
  }
  return NXC_E_IO;
}

/* ---- writing ------------------------------------------------------------------- */

/* A write into the page cache sleeps where the kernel must first read the rest of a
 * block. Only the first and the last block of a record have a rest, and who can read
 * what is beside the record without waiting has them. RWF_NOWAIT would be the question
 * itself, but file systems refuse it for such writes. */
static bool is_cached(const nxc__ring *r, off_t at) {
  char byte;
  struct iovec iov = {&byte, 1};
  return preadv2(r->fd, &iov, 1, at, RWF_NOWAIT) == 1;
}

/* The page that a record ends in stays for some seconds at least, until it is on the disk. */
static bool was_just_written(const nxc__ring *r, off_t to) {
  return atomic_load_explicit(&r->wrote_to, memory_order_relaxed) == to &&
         nxc__steady_ms() - atomic_load_explicit(&r->wrote_at_ms, memory_order_relaxed) < JUST_MS;
}

/* Where there is no rest nothing is asked for: before the first record of a segment, and
 * behind one of the first round, where nothing was ever written. A question there would
 * have the kernel read ahead, megabytes of zeros, in the call. */
static bool has_cached_neighbours(const nxc__ring *r, uint64_t word, size_t bytes) {
  off_t at = file_offset(r, word), end = at + (off_t)bytes;
  bool first_of_segment = (uint64_t)at % r->index->geometry.segment_bytes == 0;
  return (first_of_segment || was_just_written(r, at) || is_cached(r, at - 1)) &&
         (is_first_round(r, word_seq(word)) || is_cached(r, end));
}

bool nxc__ring_writes_at_once(nxc__ring *r, nxc__write *w) {
  size_t bytes = w->entry ? sizeof(prefix) + w->entry->record->size : 0;
  w->at_once = w->entry && w->word && !w->moves && bytes <= AT_ONCE_LIMIT &&
               !atomic_load_explicit(&r->writing, memory_order_relaxed) &&
               nxc__steady_ms() >= atomic_load(&r->busy_until_ms) &&
               has_cached_neighbours(r, w->word, bytes);
  return w->at_once;
}

static int write_pieces(nxc__ring *r, const nxc__write *w) {
  uint32_t size = w->entry->record->size;
  prefix p = {.magic = DISK_MAGIC, .size = size, .position = w->word & POSITION_MASK};
  p.sum = sum_of(r, &p, w->entry);
  struct iovec iov[2] = {{&p, sizeof p}, {(void *)(uintptr_t)w->entry->record, size}};
  int pieces = 2;
  off_t at = file_offset(r, w->word);
  size_t left = sizeof p + size;
  void *room = nxc__record_take_room(w->entry);

  if (room) { /* one piece, which begins as aligned as its place in the file */
    memcpy(room, &p, sizeof p);
    iov[0] = (struct iovec){room, left};
    pieces = 1;
  }
  while (left) {
    ssize_t n = pwritev(r->fd, iov, pieces, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return NXC_E_IO;
    at += n;
    left -= (size_t)n;
    for (int i = 0; i < pieces; i++) {
      size_t done = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;
      iov[i].iov_base = (char *)iov[i].iov_base + done;
      iov[i].iov_len -= done;
      n -= (ssize_t)done;
    }
  }
  nxc__count(r->index, NXC__C_BYTES_WRITTEN, sizeof p + size);
  at = (at + NXC__UNIT - 1) / NXC__UNIT * NXC__UNIT;
  atomic_store_explicit(&r->wrote_at_ms, nxc__steady_ms(), memory_order_relaxed);
  atomic_store_explicit(&r->wrote_to, at, memory_order_relaxed);
  return NXC_OK;
}

/* The kernel lets one write at a time into a file. */
static int write_record(nxc__ring *r, const nxc__write *w) {
  atomic_fetch_add_explicit(&r->writing, 1, memory_order_relaxed);
  int rc = write_pieces(r, w);
  atomic_fetch_sub_explicit(&r->writing, 1, memory_order_relaxed);
  return rc;
}

/* How often this thread has waited for something. */
static long sleeps(void) {
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) ? 0 : usage.ru_nvcsw;
}

/* Two that sleep in a row, for dirty pages that are too many or for another writer, will
 * not be the last. One alone is nothing to leave this thread for: where processors are
 * scarce the way to a worker may take longer. The clock suspects the first, at a tenth of
 * the price, and may be wrong; whether the second slept the kernel is asked. */
static int write_at_once(nxc__ring *r, const nxc__write *w) {
  bool watched = atomic_load_explicit(&r->suspected, memory_order_relaxed);
  long before = watched ? sleeps() : 0;
  uint64_t began = watched ? 0 : nxc__time_now();
  int rc = write_record(r, w);
  bool slept = watched ? sleeps() != before : nxc__time_now() - began > SUSPECT_NS;
  if (slept != watched) atomic_store_explicit(&r->suspected, slept, memory_order_relaxed);
  if (slept && watched) atomic_store(&r->busy_until_ms, nxc__steady_ms() + BUSY_MS);
  return rc;
}

/* Lets a tombstone stand where the record was to stand. When the ring went round
 * meanwhile, whatever is genuine is newer; of a copy nobody can tell. */
static int bury(nxc__ring *r, const nxc__write *w, nxc__token *token) {
  uint64_t word = w->word | TOMBSTONE;
  for (int tries = 0; tries < TRIES; tries++) {
    spot winner;
    if (is_alive(r, word)) return publish(r, w->hash, word, token);
    if (!scan(r, w->hash, true, &winner)) break;
    if (!winner.slot) return NXC_MISS;
    if (!(winner.word & MOVED)) return NXC_SUPERSEDED;
    if (clear_word(winner.slot, winner.word)) return NXC_MISS;
  }
  return NXC_E_IO;
}

int nxc__ring_commit(nxc__ring *r, const nxc__write *w, nxc__token *token) {
  if (!w->entry) return bury(r, w, token);
  int rc = w->at_once ? write_at_once(r, w) : write_record(r, w);
  if (rc != NXC_OK) {
    nxc__count(r->index, NXC__C_DISK_ERRORS, 1);
    rc = bury(r, w, token);
    return rc == NXC_OK ? NXC_MEMORY_ONLY : rc == NXC_MISS ? NXC_E_IO : rc;
  }
  /* The ring went round while we wrote: what we wrote may be anything. */
  if (!is_alive(r, w->word)) return bury(r, w, token) == NXC_E_IO ? NXC_E_IO : NXC_SUPERSEDED;
  rc = publish(r, w->hash, w->word, token);
  /* A new version is as hot as the one before, of which the slot was. */
  if (rc == NXC_OK) note(r, token->slot, w->entry->record->size, uses(r, token->slot));
  return rc;
}

/* ---- reading ------------------------------------------------------------------- */

/* Up to `size` bytes, in one call where it can be. */
static ssize_t read_some(nxc__ring *r, void *to, size_t size, off_t at, bool nowait) {
  struct iovec iov = {to, size};
  for (;;) {
    bool refuses = atomic_load_explicit(&r->no_nowait, memory_order_relaxed);
    bool asks = nowait && !refuses;
    ssize_t n = asks ? preadv2(r->fd, &iov, 1, at, RWF_NOWAIT) : pread(r->fd, to, size, at);
    if (n >= 0 || (errno != EINTR && !(asks && errno == EOPNOTSUPP))) {
      /* Also where a filter of system calls forbids the question: a worker need not ask. */
      if (n < 0 && asks) errno = EAGAIN;
      return n;
    }
    if (errno == EOPNOTSUPP) atomic_store(&r->no_nowait, true);
  }
}

static bool read_fully(nxc__ring *r, char *to, size_t size, off_t at, bool nowait) {
  errno = EAGAIN; /* what a read says that was cut short by a cold page */
  if (nowait) return false;
  while (size) {
    ssize_t n = pread(r->fd, to, size, at);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = 0;
    if (n <= 0) return false;
    to += n;
    at += n;
    size -= (size_t)n;
  }
  return true;
}

/* What a failed or a short read means. */
static int read_failure(nxc__ring *r) {
  if (errno == EAGAIN) return NXC__WOULD_BLOCK;
  if (errno == 0) return NXC__CORRUPT; /* the file ends here */
  nxc__count(r->index, NXC__C_DISK_ERRORS, 1);
  return NXC_E_IO;
}

static bool is_intact(const nxc__ring *r, const nxc_entry *e) {
  const prefix *p = prefix_of(e);
  return sum_of(r, p, e) == p->sum && nxc__record_check(e->record, p->size);
}

/* What `n` bytes from the word's position say, as far as a prefix goes. */
static int check_prefix(nxc__ring *r, const prefix *p, ssize_t n, uint64_t word, size_t room,
                        bool nowait) {
  if (n < 0) return read_failure(r);
  /* One that is cut short may only be cold. */
  if ((size_t)n < sizeof *p) return nowait ? NXC__WOULD_BLOCK : NXC__CORRUPT;
  bool fine = p->magic == DISK_MAGIC && p->position == (word & POSITION_MASK) && p->size <= room;
  return fine ? NXC_OK : NXC__CORRUPT;
}

/* Reads the record at `at`, of which `guess` bytes are asked for at first. */
static int read_guessed(nxc__ring *r, uint64_t word, off_t at, size_t guess, size_t room,
                        bool nowait, nxc_entry **e) {
  ssize_t n = read_some(r, (*e)->room, sizeof(prefix) + guess, at, nowait);
  int rc = check_prefix(r, prefix_of(*e), n, word, room, nowait);
  if (rc != NXC_OK) return rc;
  size_t size = prefix_of(*e)->size, have = (size_t)n - sizeof(prefix);
  if (!nxc__record_fit(e, size)) return NXC_E_NOMEM;
  if (have < size && !read_fully(r, (char *)(*e)->record + have, size - have, at + n, nowait)) {
    return read_failure(r);
  }
  return is_intact(r, *e) ? NXC_OK : NXC__CORRUPT;
}

/* Reads what stands at the word's position and lets it prove itself. `guess` is
 * how many bytes are worth asking for; a wrong guess costs a second read. */
static int read_record(nxc__ring *r, uint64_t word, size_t guess, bool nowait, nxc_entry **out) {
  off_t at = file_offset(r, word);
  size_t segment = r->index->geometry.segment_bytes;
  size_t room = segment - (size_t)((uint64_t)at % segment) - sizeof(prefix);

  if (guess > room) guess = room;
  if (nowait && guess > INLINE_LIMIT) return NXC__WOULD_BLOCK;
  if (guess > PEEK_ABOVE) {
    prefix p;
    int rc = check_prefix(r, &p, read_some(r, &p, sizeof p, at, nowait), word, room, nowait);
    if (rc != NXC_OK) return rc;
    guess = p.size;
  }
  nxc_entry *e = nxc__record_blank(guess);
  if (!e) return NXC_E_NOMEM;
  int rc = read_guessed(r, word, at, guess, room, nowait, &e);
  if (rc != NXC_OK) {
    nxc_entry_unref(e);
    return rc;
  }
  *out = e;
  return NXC_OK;
}

static void count_read(nxc__ring *r, const nxc_entry *e) {
  nxc__count(r->index, NXC__C_BYTES_READ, sizeof(prefix) + e->record->size);
}

/* What an unreadable record means: the ring went round (look again), or damage
 * that stays (forget the word). */
static int unreadable(nxc__ring *r, const spot *at, bool *again) {
  *again = atomic_load(at->slot) != at->word || !is_alive(r, at->word);
  if (*again) return NXC_MISS;
  clear_word(at->slot, at->word);
  nxc__count(r->index, NXC__C_CORRUPT, 1);
  return NXC__CORRUPT;
}

int nxc__ring_get(nxc__ring *r, nxc__hash hash, nxc_slice key, bool nowait, nxc_entry **entry,
                  nxc__token *token) {
  int rc = NXC_MISS;
  for (int tries = 0; tries < 2; tries++) {
    spot at;
    if (!scan(r, hash, false, &at) || !at.slot || (at.word & TOMBSTONE)) return NXC_MISS;
    rc = read_record(r, at.word, guess_size(r, at.slot), nowait, entry);
    if (rc == NXC__CORRUPT) {
      bool again;
      rc = unreadable(r, &at, &again);
      if (again) continue;
    }
    if (rc != NXC_OK) return rc;
    count_read(r, *entry);
    if (!nxc__record_has_key(*entry, key)) { /* another key with this fingerprint */
      nxc__count(r->index, NXC__C_DISK_OVERFLOW, 1);
      nxc_entry_unref(*entry);
      *entry = NULL;
      return NXC_MISS;
    }
    /* A put whose second scan passed this slot before the word stood there does not
     * know it; one that comes later will clear it. So only what still wins may be
     * believed for longer than this call. */
    spot still;
    bool wins = scan(r, hash, false, &still) && still.slot == at.slot && still.word == at.word;
    *token = (nxc__token){at.slot, wins ? at.word : NEVER_HOLDS};
    nxc__ring_touch(r, token);
    return NXC_OK;
  }
  return rc;
}

/* ---- second lives ------------------------------------------------------------- */

/* Copies one record forward; false when there is no more room for copies. */
static bool move_one(nxc__ring *r, nxc__word *slot, uint64_t word, nxc_entry *e, uint64_t *budget) {
  nxc__write w;
  nxc_record record;
  uint64_t bytes = sizeof(prefix) + e->record->size;

  if (bytes > *budget) return true;
  nxc_entry_read(e, &record);
  nxc__hash hash = nxc__hash_key(&r->index->secret, record.key);
  spot winner;
  if (hash.hi >> 48 != word_fingerprint(word)) return true;
  /* A loser that a killed process left behind must not outlive the winner. */
  if (!scan(r, hash, true, &winner) || winner.slot != slot || winner.word != word) return true;
  if (reserve(r, hash, e, MOVED, true, &w) != NXC_OK) return false;
  *budget -= bytes;
  if (write_record(r, &w) || !is_alive(r, w.word)) return true;
  /* Replaces just the word it was copied from: a put in between wins. */
  if (atomic_compare_exchange_strong(slot, &word, w.word)) {
    note(r, slot, e->record->size, uses(r, slot) / 2);
    nxc__count(r->index, NXC__C_DISK_MOVED, 1);
  }
  return true;
}

/* Asks for the pages of a segment that is about to be written again. A record begins and
 * ends inside of a page: without this every put would wait for the disk to read what it
 * then overwrites, once the kernel has dropped the pages. */
static void read_ahead(nxc__ring *r, uint64_t seq) {
  uint64_t bytes = r->index->geometry.segment_bytes;
  uint64_t place = seq % r->index->geometry.segments;
  (void)posix_fadvise(r->fd, (off_t)(place * bytes), (off_t)bytes, POSIX_FADV_WILLNEED);
}

/* Gives the next segment its blocks before a put, which may be one that must not wait,
 * needs them. Where there is no room the put will find out. */
static void allocate_ahead(nxc__ring *r, uint64_t seq) {
  uint64_t holds = atomic_load(segment_word(r, seq));
  if (!(holds & ALLOCATED)) (void)allocate(r, seq, holds);
}

void nxc__ring_move(nxc__ring *r, bool (*keep)(void *arg, const nxc_entry *entry), void *arg) {
  const nxc__geometry *g = &r->index->geometry;
  uint64_t cursor_seq = atomic_load(&r->index->header->cursor) >> 32;
  uint64_t budget = g->segment_bytes / 4;
  size_t slots = (size_t)g->buckets * NXC__WAYS;

  allocate_ahead(r, cursor_seq + 1);
  if (is_first_round(r, cursor_seq + 1)) return;
  uint64_t next = cursor_seq + 1 - g->segments;
  read_ahead(r, next);
  read_ahead(r, next + 1); /* half a segment may be written faster than one is read */
  for (size_t i = 0; i < slots; i++) {
    uint64_t word = atomic_load_explicit(&r->index->slots[i], memory_order_relaxed);
    if (!word || (word & TOMBSTONE) || word_seq(word) != next || !is_alive(r, word)) continue;
    if (!uses(r, &r->index->slots[i])) continue;
    nxc_entry *e;
    if (read_record(r, word, guess_size(r, &r->index->slots[i]), false, &e) != NXC_OK) continue;
    count_read(r, e);
    bool more = !keep(arg, e) || move_one(r, &r->index->slots[i], word, e, &budget);
    nxc_entry_unref(e);
    if (!more) return;
  }
}

/* ---- looking from outside -------------------------------------------------------- */

static int by_position(const void *a, const void *b) {
  uint64_t x = ((const nxc__token *)a)->word & POSITION_MASK;
  uint64_t y = ((const nxc__token *)b)->word & POSITION_MASK;
  return (x > y) - (x < y);
}

int nxc__ring_list(const nxc__ring *r, nxc__token **out, size_t *count) {
  size_t slots = (size_t)r->index->geometry.buckets * NXC__WAYS, n = 0;
  nxc__token *list = malloc(slots * sizeof *list);

  if (!list) return NXC_E_NOMEM;
  for (size_t i = 0; i < slots; i++) {
    uint64_t word = atomic_load_explicit(&r->index->slots[i], memory_order_relaxed);
    if (!word || (word & TOMBSTONE) || !is_alive(r, word)) continue;
    list[n++] = (nxc__token){&r->index->slots[i], word};
  }
  qsort(list, n, sizeof *list, by_position); /* so that a disk is read from end to end */
  *out = list;
  *count = n;
  return NXC_OK;
}

int nxc__ring_find(nxc__ring *r, nxc__hash hash, nxc__token *token) {
  spot at;
  if (!scan(r, hash, false, &at) || !at.slot || (at.word & TOMBSTONE)) return NXC_MISS;
  *token = (nxc__token){at.slot, at.word};
  return NXC_OK;
}

int nxc__ring_peek(nxc__ring *r, const nxc__token *at, nxc_entry **entry) {
  nxc_record record;
  spot winner;
  int rc = read_record(r, at->word, guess_size(r, at->slot), false, entry);
  bool stands = nxc__token_holds(at) && is_alive(r, at->word);

  if (rc != NXC_OK) return stands ? rc : NXC_MISS;
  nxc_entry_read(*entry, &record);
  nxc__hash hash = nxc__hash_key(&r->index->secret, record.key);
  if (scan(r, hash, false, &winner) && winner.slot == at->slot && winner.word == at->word) {
    return NXC_OK;
  }
  /* A double that a killed process left behind, or replaced just now. */
  nxc_entry_unref(*entry);
  *entry = NULL;
  return NXC_MISS;
}

uint64_t nxc__ring_record_bytes(const nxc_entry *entry) {
  uint64_t bytes = sizeof(prefix) + entry->record->size;
  return (bytes + NXC__UNIT - 1) / NXC__UNIT * NXC__UNIT;
}

bool nxc__ring_was_used(const nxc__ring *r, const nxc__token *at) {
  return uses(r, at->slot) != 0;
}

bool nxc__ring_forget(nxc__ring *r, const nxc__token *at) {
  if (!clear_word(at->slot, at->word)) return false;
  nxc__count(r->index, NXC__C_CORRUPT, 1);
  return true;
}
