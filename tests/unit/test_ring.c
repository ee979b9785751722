/* test_ring.c - reserve, commit, read, remove, recycle, move; and what happens
 * when two writers meet, played out step by step on one thread.
 */
#include "testbed.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SEGMENT_PAGES 256

static nxc_entry *entry_of(const char *key, char fill, size_t size) {
  char *bytes = malloc(size + 1);
  memset(bytes, fill, size);
  nxc_slice part = slice_of(bytes, size);
  nxc_record record = test_record(slice(key), &part);
  record.birth = 1;
  record.created_ms = TEST_EPOCH_MS;
  nxc_entry *entry = NULL;
  assert_int_equal(nxc__record_build(&record, &entry), NXC_OK);
  free(bytes);
  return entry;
}

static nxc__hash hash_of(const testbed *s, const char *key) {
  return nxc__hash_key(&s->index->secret, slice(key));
}

static nxc__token put(testbed *s, const char *key, char fill, size_t size) {
  nxc_entry *entry = entry_of(key, fill, size);
  nxc__write write;
  nxc__token token;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, key), entry, &write), NXC_OK);
  assert_int_equal(nxc__ring_commit(&s->ring, &write, &token), NXC_OK);
  assert_true(nxc__token_holds(&token));
  nxc_entry_unref(entry);
  return token;
}

/* The first byte of the value, 0 on a miss, '?' on damage; checks all bytes. */
static char get(testbed *s, const char *key) {
  nxc_entry *entry = NULL;
  nxc__token token;
  int result = nxc__ring_get(&s->ring, hash_of(s, key), slice(key), false, &entry, &token);
  if (result == NXC_MISS) return 0;
  if (result == NXC__CORRUPT) return '?';
  assert_int_equal(result, NXC_OK);
  assert_true(nxc__token_holds(&token));
  nxc_slice part = nxc_entry_part(entry, 0);
  const char *bytes = part.data;
  char first = part.size ? bytes[0] : '0';
  for (size_t i = 0; i < part.size; i++) assert_int_equal(bytes[i], first);
  nxc_entry_unref(entry);
  return first;
}

/* Words in the bucket of a key that carry its fingerprint. */
static int words_of(testbed *s, const char *key) {
  nxc__hash hash = hash_of(s, key);
  nxc__word *bucket =
      s->index->slots + (size_t)nxc__hash_place(hash.lo, s->index->geometry.buckets) * NXC__WAYS;
  int count = 0;
  for (int i = 0; i < NXC__WAYS; i++) {
    uint64_t word = atomic_load(&bucket[i]);
    count += word != 0 && word >> 48 == hash.hi >> 48;
  }
  return count;
}

/* Fills with other keys until the cursor has entered `rounds` more segments. */
static void turn(testbed *s, unsigned segments) {
  static unsigned number;
  uint64_t until = (atomic_load(&s->index->header->cursor) >> 32) + segments;
  while (atomic_load(&s->index->header->cursor) >> 32 < until) {
    char key[32];
    (void)snprintf(key, sizeof key, "filler %u", number++);
    put(s, key, 'f', 200000);
  }
}

/* ---- one writer -------------------------------------------------------------------- */

static void an_empty_ring_has_nothing(void **state) {
  testbed *s = *state;
  assert_int_equal(get(s, "key"), 0);
  assert_int_equal(nxc__ring_held_bytes(&s->ring), 0);
}

static void what_was_committed_is_read(void **state) {
  testbed *s = *state;
  static const size_t sizes[] = {0, 1, 8000, 8100, 8192, 9000, 40000, 400000, 1000000};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    char key[16], fill = (char)('a' + i);
    (void)snprintf(key, sizeof key, "key %zu", i);
    put(s, key, fill, sizes[i]);
    assert_int_equal(get(s, key), sizes[i] ? fill : '0');
  }
  assert_int_equal(get(s, "key"), 0);
}

/* Only the first may use the entry's own room for what precedes a record on disk. */
static void an_entry_can_be_put_again(void **state) {
  testbed *s = *state;
  nxc_entry *entry = entry_of("key", 'x', 9000);
  for (int times = 0; times < 3; times++) {
    nxc__write write;
    nxc__token token;
    assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_OK);
    assert_int_equal(nxc__ring_commit(&s->ring, &write, &token), NXC_OK);
    assert_int_equal(get(s, "key"), 'x');
    assert_null(nxc__record_take_room(entry));
  }
  nxc_entry_unref(entry);
}

static void the_largest_record_fills_a_segment(void **state) {
  testbed *s = *state;
  size_t largest = nxc__ring_largest_bytes(&s->ring);
  nxc_entry *entry = entry_of("key", 'x', 0);
  size_t head = nxc_entry_bytes(entry).size;
  nxc_entry_unref(entry);
  entry = entry_of("key", 'x', largest - head - 8);
  assert_true(nxc_entry_bytes(entry).size <= largest);
  nxc__write write;
  nxc__token token;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_OK);
  assert_int_equal(nxc__ring_commit(&s->ring, &write, &token), NXC_OK);
  assert_int_equal(get(s, "key"), 'x');
  nxc_entry_unref(entry);
  entry = entry_of("key", 'y', largest);
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_E_TOO_LARGE);
  nxc_entry_unref(entry);
}

static void a_new_version_ends_the_old_token(void **state) {
  testbed *s = *state;
  nxc__token first = put(s, "key", 'a', 100);
  nxc__token second = put(s, "key", 'b', 100);
  assert_false(nxc__token_holds(&first));
  assert_true(nxc__token_holds(&second));
  assert_int_equal(get(s, "key"), 'b');
  assert_int_equal(words_of(s, "key"), 1);
  nxc__token none = {NULL, 0};
  assert_true(nxc__token_holds(&none)); /* without a disk nobody else writes */
}

static int bury(testbed *s, const char *key, nxc__token *tombstone) {
  nxc__write write;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, key), NULL, &write), NXC_OK);
  return nxc__ring_commit(&s->ring, &write, tombstone);
}

static void a_removed_key_is_gone_and_its_token_ended(void **state) {
  testbed *s = *state;
  nxc__token token = put(s, "key", 'a', 100), tombstone;
  assert_int_equal(bury(s, "key", &tombstone), NXC_OK);
  assert_false(nxc__token_holds(&token));
  assert_int_equal(get(s, "key"), 0);
  put(s, "key", 'b', 100);
  assert_int_equal(get(s, "key"), 'b');
}

static void it_is_there_after_mapping_anew(void **state) {
  testbed *s = *state;
  put(s, "key", 'a', 100000);
  testbed_unmap(s);
  testbed_map(s);
  assert_int_equal(get(s, "key"), 'a');
}

static void a_round_later_it_is_recycled(void **state) {
  testbed *s = *state;
  put(s, "key", 'a', 100);
  turn(s, 7);
  assert_int_equal(get(s, "key"), 'a');
  turn(s, 2);
  assert_int_equal(get(s, "key"), 0);
  assert_true(nxc__counter_sum(s->index, NXC__C_DISK_RECYCLED) >= 1);
  assert_true(nxc__ring_held_bytes(&s->ring) <= 8 * MB + 65536);
}

static void positions_are_never_given_twice(void **state) {
  testbed *s = *state;
  nxc_entry *entry = entry_of("key", 'x', 3000);
  uint64_t last = 0;
  for (int i = 0; i < 20000; i++) {
    nxc__write write;
    assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_OK);
    uint64_t position = write.word & ((UINT64_C(1) << 46) - 1);
    assert_true(position > last);
    last = position;
  }
  nxc_entry_unref(entry);
}

/* Nine keys of one bucket: the one that the ring would recycle first goes. */
static void a_full_bucket_gives_up_its_oldest(void **state) {
  testbed *s = *state;
  uint32_t place = nxc__hash_place(hash_of(s, "key 0").lo, s->index->geometry.buckets);
  char keys[9][24] = {"key 0"};
  put(s, keys[0], 'a', 10);
  for (int found = 1, i = 1; found < 9; i++) {
    (void)snprintf(keys[found], sizeof keys[found], "key %d", i);
    nxc__hash hash = hash_of(s, keys[found]);
    if (nxc__hash_place(hash.lo, s->index->geometry.buckets) != place) continue;
    put(s, keys[found], (char)('a' + found), 10);
    found++;
  }
  assert_int_equal(get(s, keys[0]), 0);
  for (int i = 1; i < 9; i++) assert_int_equal(get(s, keys[i]), 'a' + i);
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_DISK_OVERFLOW), 1);
}

/* ---- damage --------------------------------------------------------------------------- */

/* Where the record stands in the data file of eight segments of 1 MB. */
static off_t offset_of(nxc__token token) {
  uint64_t sequence = token.word >> 18 & ((1 << 28) - 1), unit = token.word & ((1 << 18) - 1);
  return (off_t)(sequence % 8 * MB + unit * NXC__UNIT);
}

/* Flips each byte of the stored record in turn, prefix included. */
static void every_flipped_byte_is_noticed(void **state) {
  testbed *s = *state;
  nxc__token token = put(s, "key", 'a', 50);
  off_t at = offset_of(token);
  nxc_entry *entry = entry_of("key", 'a', 50);
  size_t size = 24 + nxc_entry_bytes(entry).size;
  nxc_entry_unref(entry);
  for (size_t i = 0; i < size; i++) {
    unsigned char byte, flipped;
    assert_int_equal(pread(s->ring.fd, &byte, 1, at + (off_t)i), 1);
    flipped = byte ^ 0x10;
    assert_int_equal(pwrite(s->ring.fd, &flipped, 1, at + (off_t)i), 1);
    assert_int_equal(get(s, "key"), '?');
    assert_int_equal(get(s, "key"), 0); /* the hint was forgotten */
    assert_int_equal(pwrite(s->ring.fd, &byte, 1, at + (off_t)i), 1);
    atomic_store(token.slot, token.word);
    assert_int_equal(get(s, "key"), 'a');
  }
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_CORRUPT), size);
}

static void a_record_at_another_place_proves_nothing(void **state) {
  testbed *s = *state;
  nxc__token one = put(s, "one", 'a', 100), two = put(s, "two", 'b', 100);
  char bytes[256];
  assert_int_equal(pread(s->ring.fd, bytes, 256, offset_of(one)), 256);
  assert_int_equal(pwrite(s->ring.fd, bytes, 256, offset_of(two)), 256);
  assert_int_equal(get(s, "two"), '?');
  assert_int_equal(get(s, "one"), 'a');
}

static void a_hint_to_anywhere_is_a_miss(void **state) {
  testbed *s = *state;
  test_random random = test_random_seed(9);
  nxc__token token = put(s, "key", 'a', 100);
  for (int i = 0; i < 5000; i++) {
    uint64_t word = (token.word >> 48 << 48) | (test_random_next(&random) >> 16);
    if (i % 2) word = token.word ^ (UINT64_C(1) << test_random_below(&random, 18));
    atomic_store(token.slot, word);
    char answer = get(s, "key");
    assert_true(answer == 0 || answer == '?');
  }
  atomic_store(token.slot, token.word);
  assert_int_equal(get(s, "key"), 'a');
}

/* A hint of one key that points at the intact record of another. */
static void the_key_must_match_whole(void **state) {
  testbed *s = *state;
  nxc__token mine = put(s, "mine", 'a', 100), theirs = put(s, "theirs", 'b', 100);
  uint64_t fingerprint = mine.word >> 48 << 48;
  atomic_store(mine.slot, fingerprint | (theirs.word & ((UINT64_C(1) << 48) - 1)));
  assert_int_equal(get(s, "mine"), 0);
  assert_int_equal(get(s, "theirs"), 'b');
}

static void a_truncated_data_file_is_no_crash(void **state) {
  testbed *s = *state;
  put(s, "key", 'a', 100000);
  assert_int_equal(ftruncate(s->ring.fd, 20000), 0);
  assert_int_equal(get(s, "key"), '?');
  put(s, "key", 'b', 100000);
  assert_int_equal(get(s, "key"), 'b');
}

static void a_damaged_cursor_or_segment_word_ends_no_writer(void **state) {
  testbed *s = *state;
  static const uint64_t cursors[] = {0,          1,          UINT64_C(9) << 32,
                                     UINT64_MAX, UINT32_MAX, (UINT64_C(12) << 32) | UINT32_MAX};
  for (size_t i = 0; i < COUNT_OF(cursors); i++) {
    uint64_t before = atomic_load(&s->index->header->cursor);
    atomic_store(&s->index->header->cursor, cursors[i]);
    nxc_entry *entry = entry_of("key", 'x', 3000);
    nxc__write write;
    int result = nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write);
    assert_true(result == NXC_OK || result == NXC_E_IO);
    nxc_entry_unref(entry);
    atomic_store(&s->index->header->cursor, before);
  }
  for (uint32_t i = 0; i < s->index->geometry.segments; i++) {
    atomic_store(&s->index->segments[i], UINT64_MAX >> i);
    nxc_entry *entry = entry_of("key", 'x', 3000);
    nxc__write write;
    int result = nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write);
    assert_true(result == NXC_OK || result == NXC_E_IO);
    nxc_entry_unref(entry);
  }
}

/* ---- two writers ------------------------------------------------------------------------- */

/* Reserves now, commits when told: a writer that is stopped in between. */
typedef struct slow {
  nxc_entry *entry;
  nxc__write write;
} slow;

static slow begin(testbed *s, const char *key, char fill) {
  slow put = {.entry = entry_of(key, fill, 100)};
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, key), put.entry, &put.write), NXC_OK);
  return put;
}

static int finish(testbed *s, slow *put) {
  nxc__token token;
  int result = nxc__ring_commit(&s->ring, &put->write, &token);
  nxc_entry_unref(put->entry);
  return result;
}

static void the_later_reservation_wins(void **state) {
  testbed *s = *state;
  slow first = begin(s, "key", '1');
  slow second = begin(s, "key", '2');
  assert_int_equal(finish(s, &second), NXC_OK);
  assert_int_equal(get(s, "key"), '2');
  assert_int_equal(finish(s, &first), NXC_SUPERSEDED);
  assert_int_equal(get(s, "key"), '2');
  assert_int_equal(words_of(s, "key"), 1);
}

static void a_remove_beats_an_older_put_in_flight(void **state) {
  testbed *s = *state;
  nxc__token tombstone;
  slow put = begin(s, "key", '1');
  assert_int_equal(bury(s, "key", &tombstone), NXC_OK);
  assert_int_equal(finish(s, &put), NXC_SUPERSEDED);
  assert_int_equal(get(s, "key"), 0);
}

static void a_put_beats_an_older_remove(void **state) {
  testbed *s = *state;
  nxc__write remove;
  nxc__token token;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), NULL, &remove), NXC_OK);
  put(s, "key", 'a', 100);
  assert_int_equal(nxc__ring_commit(&s->ring, &remove, &token), NXC_SUPERSEDED);
  assert_int_equal(get(s, "key"), 'a');
}

/* A writer that was frozen for a whole round must not be believed. */
static void a_writer_that_slept_a_round_publishes_nothing(void **state) {
  testbed *s = *state;
  slow put = begin(s, "key", '1');
  turn(s, 9);
  assert_int_not_equal(finish(s, &put), NXC_OK);
  assert_int_equal(get(s, "key"), 0);
}

/* Two genuine words of one key, as two inserters can leave them. */
static void of_two_words_the_higher_wins_and_the_loser_is_cleared(void **state) {
  testbed *s = *state;
  nxc__token old = put(s, "key", '1', 100);
  nxc__token new = put(s, "key", '2', 100);
  assert_ptr_equal(old.slot, new.slot);
  nxc__word *bucket =
      s->index->slots + (size_t)(new.slot - s->index->slots) / NXC__WAYS * NXC__WAYS;
  for (int other = 0; other < NXC__WAYS; other++) {
    if (&bucket[other] == new.slot) continue;
    atomic_store(&bucket[other], old.word);
    nxc__token stale = {&bucket[other], old.word};
    assert_int_equal(get(s, "key"), '2');
    assert_false(nxc__token_holds(&stale));
    assert_int_equal(words_of(s, "key"), 1);
  }
}

/* A dead word keeps old tokens valid for ever unless put and remove clear it. */
static void a_dead_word_is_cleared_by_the_next_writer(void **state) {
  testbed *s = *state;
  nxc__token old = put(s, "key", '1', 100);
  turn(s, 9);
  assert_int_equal(get(s, "key"), 0);
  nxc__token new = put(s, "key", '2', 100);
  assert_false(nxc__token_holds(&old));
  assert_true(nxc__token_holds(&new));
  assert_int_equal(words_of(s, "key"), 1);
  turn(s, 9);
  nxc__token tombstone;
  assert_int_equal(bury(s, "key", &tombstone), NXC_OK);
  assert_false(nxc__token_holds(&new));
}

/* A killed process left a segment word without moving the cursor, or a cursor
 * at the end of its segment: the next writer goes on. */
static void a_half_done_advance_is_finished_by_the_next(void **state) {
  testbed *s = *state;
  put(s, "key", 'a', 100);
  uint64_t cursor = atomic_load(&s->index->header->cursor), next = (cursor >> 32) + 1;
  atomic_store(&s->index->segments[next % s->index->geometry.segments], next);
  atomic_store(&s->index->header->cursor, (cursor >> 32) << 32 | MB / NXC__UNIT);
  put(s, "other", 'b', 100);
  assert_int_equal(atomic_load(&s->index->header->cursor) >> 32, next);
  assert_int_equal(get(s, "key"), 'a');
  assert_int_equal(get(s, "other"), 'b');
}

/* ---- second lives ------------------------------------------------------------------------- */

static bool keep_all(void *arg, const nxc_entry *entry) {
  (void)entry;
  ++*(int *)arg;
  return true;
}

static bool keep_none(void *arg, const nxc_entry *entry) {
  (void)entry;
  ++*(int *)arg;
  return false;
}

/* Eight segments; `old` stands in the one that is recycled next. */
static nxc__token about_to_be_recycled(testbed *s, const char *key, bool used) {
  nxc__token token = put(s, key, 'a', 1000);
  turn(s, 7);
  if (used) nxc__ring_touch(&s->ring, &token);
  return token;
}

static void what_was_used_lives_twice(void **state) {
  testbed *s = *state;
  put(s, "cold", 'c', 1000);
  nxc__token token = about_to_be_recycled(s, "hot", true);
  int asked = 0;
  nxc__ring_move(&s->ring, keep_all, &asked);
  assert_int_equal(asked, 1);
  assert_false(nxc__token_holds(&token)); /* the word moved */
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_DISK_MOVED), 1);
  turn(s, 1);
  assert_int_equal(get(s, "hot"), 'a');
  assert_int_equal(get(s, "cold"), 0);
}

/* One second life for each time that the number of uses can be halved. */
static void what_was_used_often_lives_longer(void **state) {
  testbed *s = *state;
  nxc__token token = put(s, "hot", 'a', 1000);
  for (int i = 0; i < 5; i++) nxc__ring_touch(&s->ring, &token);
  for (int life = 0; life < 2; life++) {
    int asked = 0;
    turn(s, 7);
    nxc__ring_move(&s->ring, keep_all, &asked);
    assert_int_equal(asked, 1);
  }
  turn(s, 8);
  int asked = 0;
  nxc__ring_move(&s->ring, keep_all, &asked);
  assert_int_equal(asked, 0);
  assert_int_equal(get(s, "hot"), 0);
}

static void a_new_version_is_as_hot_as_the_one_before(void **state) {
  testbed *s = *state;
  nxc__token token = put(s, "hot", 'a', 1000);
  nxc__ring_touch(&s->ring, &token);
  put(s, "hot", 'b', 70000); /* of another size class */
  turn(s, 7);
  int asked = 0;
  nxc__ring_move(&s->ring, keep_all, &asked);
  assert_int_equal(asked, 1);
  turn(s, 1);
  assert_int_equal(get(s, "hot"), 'b');
}

static void what_is_not_worth_keeping_is_not_moved(void **state) {
  testbed *s = *state;
  about_to_be_recycled(s, "hot", true);
  int asked = 0;
  nxc__ring_move(&s->ring, keep_none, &asked);
  assert_int_equal(asked, 1);
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_DISK_MOVED), 0);
  turn(s, 1);
  assert_int_equal(get(s, "hot"), 0);
}

/* Pages of a segment that the kernel has in memory; to read one would fetch it. */
static int resident_pages(testbed *s, uint64_t seq) {
  const nxc__geometry *g = &s->index->geometry;
  unsigned char pages[SEGMENT_PAGES];
  off_t at = (off_t)(seq % g->segments * g->segment_bytes);
  void *map = mmap(NULL, g->segment_bytes, PROT_READ, MAP_SHARED, s->ring.fd, at);
  assert_true(map != MAP_FAILED && g->segment_bytes == sizeof pages * 4096);
  assert_int_equal(mincore(map, g->segment_bytes, pages), 0);
  munmap(map, g->segment_bytes);
  int resident = 0;
  for (size_t i = 0; i < sizeof pages; i++) resident += pages[i] & 1;
  return resident;
}

static bool is_resident(testbed *s, uint64_t seq) {
  return resident_pages(s, seq) == SEGMENT_PAGES;
}

/* Lets the kernel drop the pages of the file, which it does when nobody is at them; it
 * cannot in a tmpfs, which has no other place. */
static bool drop_pages(testbed *s, uint64_t seq) {
  for (int i = 0; i < 200; i++) {
    assert_int_equal(fdatasync(s->ring.fd), 0);
    assert_int_equal(posix_fadvise(s->ring.fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    if (resident_pages(s, seq) == 0) return true;
    usleep(5000);
  }
  return false;
}

static void the_pages_of_the_next_segments_are_asked_for(void **state) {
  testbed *s = *state;
  turn(s, 9);
  uint64_t next = (atomic_load(&s->index->header->cursor) >> 32) + 1;
  if (!drop_pages(s, next) || is_resident(s, next + 1)) skip();
  int asked = 0;
  nxc__ring_move(&s->ring, keep_all, &asked);
  for (int i = 0; i < 5000 && !(is_resident(s, next) && is_resident(s, next + 1)); i++)
    usleep(1000);
  assert_true(is_resident(s, next));
  assert_true(is_resident(s, next + 1));
  assert_false(is_resident(s, next + 3));
}

/* At the beginning of a file the kernel takes every read for the first of many. */
static void nothing_is_read_further(void **state) {
  testbed *s = *state;
  nxc__ring_read_no_further(&s->ring);
  put(s, "key", 'x', 10000);
  turn(s, 1);
  uint64_t first = s->index->geometry.segments;
  if (!drop_pages(s, first)) skip();
  assert_int_equal(get(s, "key"), 'x');
  assert_in_range(resident_pages(s, first), 1, 5);
}

static void the_next_segment_has_its_blocks_ahead(void **state) {
  testbed *s = *state;
  put(s, "key", 'x', 100);
  uint64_t before = nxc__ring_held_bytes(&s->ring);
  int asked = 0;
  nxc__ring_move(&s->ring, keep_all, &asked);
  uint64_t ahead = nxc__ring_held_bytes(&s->ring);
  assert_true(before >= MB && ahead >= before + MB);
  turn(s, 1);
  assert_int_equal(nxc__ring_held_bytes(&s->ring), ahead);
  assert_int_equal(get(s, "key"), 'x');
}

/* ---- on a thread that must not sleep ------------------------------------------ */

static bool sleeps;     /* every write; none else does, as far as the ring is told */
static bool takes_long; /* what lies between two looks at the clock */

uint64_t __wrap_nxc__time_now(void);
uint64_t __wrap_nxc__time_now(void) {
  static uint64_t ns;
  return ns += takes_long ? 1000000 : 1000;
}

int __wrap_getrusage(int who, struct rusage *usage);
int __wrap_getrusage(int who, struct rusage *usage) {
  static long times;
  (void)who;
  *usage = (struct rusage){.ru_nvcsw = sleeps ? ++times : times};
  return 0;
}

/* Whether a record of about this size would be written at once; it is written. */
static bool put_at_once(testbed *s, size_t size) {
  nxc_entry *entry = entry_of("key", 'x', size);
  nxc__write write;
  nxc__token token;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_OK);
  write.moves = false; /* whatever the place is */
  bool at_once = nxc__ring_writes_at_once(&s->ring, &write);
  assert_int_equal(nxc__ring_commit(&s->ring, &write, &token), NXC_OK);
  nxc_entry_unref(entry);
  assert_int_equal(get(s, "key"), 'x');
  return at_once;
}

/* A tmpfs cannot tell what waits. */
static void need_nowait(testbed *s) {
  char byte;
  struct iovec iov = {&byte, 1};
  put(s, "first", 'f', 100);
  if (preadv2(s->ring.fd, &iov, 1, 0, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP) {
    atomic_store(&s->ring.wrote_at_ms, 0);
    assert_false(put_at_once(s, 100));
    skip();
  }
}

static void what_is_small_is_written_at_once(void **state) {
  testbed *s = *state;
  need_nowait(s);
  assert_true(put_at_once(s, 100));
  assert_true(put_at_once(s, 60000));
  assert_false(put_at_once(s, 70000));
  assert_true(put_at_once(s, 1));
}

/* They would wait for it: the kernel lets one write at a time into a file. */
static void nothing_is_written_at_once_beside_another_write(void **state) {
  testbed *s = *state;
  need_nowait(s);
  atomic_store(&s->ring.writing, 1);
  assert_false(put_at_once(s, 100));
  atomic_store(&s->ring.writing, 0);
  assert_true(put_at_once(s, 100));
}

static void the_first_record_of_a_segment_asks_for_no_page(void **state) {
  testbed *s = *state;
  need_nowait(s);
  turn(s, 1);
  for (int i = 0; i < 4; i++) put(s, "filler", 'f', 200000); /* no room for another 60 000 */
  uint64_t next = (atomic_load(&s->index->header->cursor) >> 32) + 1;
  nxc_entry *entry = entry_of("key", 'x', 60000);
  nxc__write write;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_OK);
  assert_int_equal(atomic_load(&s->index->header->cursor) >> 32, next);
  int behind = resident_pages(s, next - 1);
  assert_true(nxc__ring_writes_at_once(&s->ring, &write));
  assert_int_equal(resident_pages(s, next - 1), behind);
  assert_int_equal(resident_pages(s, next), 0);
  nxc_entry_unref(entry);
}

static void what_is_large_is_not_read_at_once(void **state) {
  testbed *s = *state;
  nxc_entry *entry = NULL;
  nxc__token token;
  put(s, "small", 's', 100000);
  put(s, "large", 'l', 200000);
  assert_int_equal(
      nxc__ring_get(&s->ring, hash_of(s, "large"), slice("large"), true, &entry, &token),
      NXC__WOULD_BLOCK);
  assert_int_equal(get(s, "large"), 'l');
  assert_int_equal(
      nxc__ring_get(&s->ring, hash_of(s, "small"), slice("small"), true, &entry, &token), NXC_OK);
  nxc_entry_unref(entry);
}

static void two_writes_that_sleep_in_a_row_leave_the_others_to_workers(void **state) {
  testbed *s = *state;
  need_nowait(s);
  sleeps = takes_long = true;
  assert_true(put_at_once(s, 100));
  sleeps = takes_long = false;
  assert_true(put_at_once(s, 100));
  sleeps = takes_long = true;
  assert_true(put_at_once(s, 100));
  assert_true(put_at_once(s, 100));
  sleeps = takes_long = false;
  assert_false(put_at_once(s, 100));
  atomic_store(&s->ring.busy_until_ms, nxc__steady_ms());
  assert_true(put_at_once(s, 100));
}

/* A processor that was given to another takes as long. */
static void writes_that_take_long_without_sleeping_stay(void **state) {
  testbed *s = *state;
  need_nowait(s);
  takes_long = true;
  for (int i = 0; i < 4; i++) assert_true(put_at_once(s, 100));
  takes_long = false;
  assert_true(put_at_once(s, 100));
}

static void what_brings_second_lives_is_not_written_at_once(void **state) {
  testbed *s = *state;
  need_nowait(s);
  nxc_entry *entry = entry_of("key", 'x', 100);
  nxc__write write;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_OK);
  write.moves = false;
  assert_true(nxc__ring_writes_at_once(&s->ring, &write));
  write.moves = true;
  assert_false(nxc__ring_writes_at_once(&s->ring, &write));
  nxc_entry_unref(entry);
}

/* Nor is the kernel asked for the page: the question would have it read. */
static void what_was_written_just_now_is_known_to_be_cached(void **state) {
  testbed *s = *state;
  need_nowait(s);
  put(s, "before", 'b', 1000);
  uint64_t seq = atomic_load(&s->index->header->cursor) >> 32;
  if (!drop_pages(s, seq)) skip();
  nxc_entry *entry = entry_of("key", 'x', 100);
  nxc__write write;
  assert_int_equal(nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write), NXC_OK);
  write.moves = false;
  atomic_store(&s->ring.wrote_at_ms, INT64_MAX); /* however long that took */
  assert_true(nxc__ring_writes_at_once(&s->ring, &write));
  assert_int_equal(resident_pages(s, seq), 0);
  atomic_store(&s->ring.wrote_at_ms, 0);
  (void)nxc__ring_writes_at_once(&s->ring, &write);
  for (int i = 0; i < 5000 && resident_pages(s, seq) == 0; i++) usleep(1000);
  assert_true(resident_pages(s, seq) > 0);
  nxc_entry_unref(entry);
}

/* In the second round the kernel must read what is beside a record, once it has dropped
 * it. The question itself makes it read: what comes quickly may be there already. */
static void what_needs_a_read_is_not_written_at_once(void **state) {
  testbed *s = *state;
  need_nowait(s);
  turn(s, 9);
  bool refused = false;
  for (int tries = 0; tries < 100 && !refused; tries++) {
    assert_int_equal(fdatasync(s->ring.fd), 0);
    assert_int_equal(posix_fadvise(s->ring.fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    refused = !put_at_once(s, 10000);
  }
  assert_true(refused);
}

/* From now on a system call is answered with this error, as by the filter of a container. */
static bool forbid(unsigned call, int error) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {COUNT_OF(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#define NO_FILTERS 77

/* What a step comes to in a process that may not make this call. */
static int without(unsigned call, int error, testbed *s, int (*step)(testbed *s)) {
  pid_t child = fork();
  if (child == 0) _exit(forbid(call, error) ? step(s) & 0xff : NO_FILTERS);
  int result = test_wait(child);
  if (result == NO_FILTERS) skip();
  return result;
}

static int get_on_a_loop(testbed *s) {
  nxc_entry *entry = NULL;
  nxc__token token;
  int rc = nxc__ring_get(&s->ring, hash_of(s, "key"), slice("key"), true, &entry, &token);
  if (rc == NXC__WOULD_BLOCK) { /* the C library makes ENOSYS "not supported" */
    rc = nxc__ring_get(&s->ring, hash_of(s, "key"), slice("key"), false, &entry, &token);
  }
  nxc_entry_unref(entry);
  return rc;
}

static void where_nobody_can_ask_what_waits_it_is_read(void **state) {
  testbed *s = *state;
  static const int errors[] = {EPERM, ENOSYS, EINVAL, EACCES};
  put(s, "key", 'x', 100);
  for (size_t i = 0; i < COUNT_OF(errors); i++) {
    assert_int_equal(without(SYS_preadv2, errors[i], s, get_on_a_loop), NXC_OK);
  }
}

static int put_one(testbed *s) {
  nxc_entry *entry = entry_of("key", 'x', 100);
  nxc__write write;
  nxc__token token;
  int rc = nxc__ring_reserve(&s->ring, hash_of(s, "key"), entry, &write);
  if (rc == NXC_OK) rc = nxc__ring_commit(&s->ring, &write, &token);
  nxc_entry_unref(entry);
  return rc;
}

/* Older ZFS, eCryptfs, and files of ext2 and ext3. */
static void a_file_system_that_cannot_allocate_is_written_to(void **state) {
  testbed *s = *state;
  assert_int_equal(without(SYS_fallocate, EOPNOTSUPP, s, put_one), NXC_OK);
  assert_int_equal(get(s, "key"), 'x');
}

static void a_full_file_system_is_not_written_to(void **state) {
  testbed *s = *state;
  assert_int_equal(without(SYS_fallocate, ENOSPC, s, put_one), NXC_E_IO & 0xff);
}

static slow in_flight;
static testbed *in_flight_store;

/* Publishes a newer version while the copy of the old one is under way. */
static bool keep_and_overwrite(void *arg, const nxc_entry *entry) {
  (void)arg;
  (void)entry;
  assert_int_equal(finish(in_flight_store, &in_flight), NXC_OK);
  return true;
}

static void a_put_during_a_move_wins(void **state) {
  testbed *s = *state;
  about_to_be_recycled(s, "hot", true);
  in_flight_store = s;
  in_flight = begin(s, "hot", '2');
  nxc__ring_move(&s->ring, keep_and_overwrite, NULL);
  assert_int_equal(get(s, "hot"), '2');
  assert_int_equal(words_of(s, "hot"), 1);
}

/* A copy is newer in position, older in version: a put that was reserved before
 * the copy and published after it must still win. */
static void a_genuine_word_beats_a_moved_one(void **state) {
  testbed *s = *state;
  about_to_be_recycled(s, "hot", true);
  slow put = begin(s, "hot", '2');
  int asked = 0;
  nxc__ring_move(&s->ring, keep_all, &asked);
  assert_int_equal(get(s, "hot"), 'a');
  assert_int_equal(finish(s, &put), NXC_OK);
  assert_int_equal(get(s, "hot"), '2');
  assert_int_equal(words_of(s, "hot"), 1);
}

#define ON_TESTBED(test) cmocka_unit_test_setup_teardown(test, on_testbed, off_testbed)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_TESTBED(an_empty_ring_has_nothing),
      ON_TESTBED(what_was_committed_is_read),
      ON_TESTBED(an_entry_can_be_put_again),
      ON_TESTBED(the_largest_record_fills_a_segment),
      ON_TESTBED(a_new_version_ends_the_old_token),
      ON_TESTBED(a_removed_key_is_gone_and_its_token_ended),
      ON_TESTBED(it_is_there_after_mapping_anew),
      ON_TESTBED(a_round_later_it_is_recycled),
      ON_TESTBED(positions_are_never_given_twice),
      ON_TESTBED(a_full_bucket_gives_up_its_oldest),
      ON_TESTBED(every_flipped_byte_is_noticed),
      ON_TESTBED(a_record_at_another_place_proves_nothing),
      ON_TESTBED(a_hint_to_anywhere_is_a_miss),
      ON_TESTBED(the_key_must_match_whole),
      ON_TESTBED(a_truncated_data_file_is_no_crash),
      ON_TESTBED(a_damaged_cursor_or_segment_word_ends_no_writer),
      ON_TESTBED(the_later_reservation_wins),
      ON_TESTBED(a_remove_beats_an_older_put_in_flight),
      ON_TESTBED(a_put_beats_an_older_remove),
      ON_TESTBED(a_writer_that_slept_a_round_publishes_nothing),
      ON_TESTBED(of_two_words_the_higher_wins_and_the_loser_is_cleared),
      ON_TESTBED(a_dead_word_is_cleared_by_the_next_writer),
      ON_TESTBED(a_half_done_advance_is_finished_by_the_next),
      ON_TESTBED(what_was_used_lives_twice),
      ON_TESTBED(what_was_used_often_lives_longer),
      ON_TESTBED(a_new_version_is_as_hot_as_the_one_before),
      ON_TESTBED(what_is_not_worth_keeping_is_not_moved),
      ON_TESTBED(the_pages_of_the_next_segments_are_asked_for),
      ON_TESTBED(nothing_is_read_further),
      ON_TESTBED(the_next_segment_has_its_blocks_ahead),
      ON_TESTBED(what_is_small_is_written_at_once),
      ON_TESTBED(nothing_is_written_at_once_beside_another_write),
      ON_TESTBED(the_first_record_of_a_segment_asks_for_no_page),
      ON_TESTBED(what_is_large_is_not_read_at_once),
      ON_TESTBED(two_writes_that_sleep_in_a_row_leave_the_others_to_workers),
      ON_TESTBED(writes_that_take_long_without_sleeping_stay),
      ON_TESTBED(what_brings_second_lives_is_not_written_at_once),
      ON_TESTBED(what_was_written_just_now_is_known_to_be_cached),
      ON_TESTBED(what_needs_a_read_is_not_written_at_once),
      ON_TESTBED(where_nobody_can_ask_what_waits_it_is_read),
      ON_TESTBED(a_file_system_that_cannot_allocate_is_written_to),
      ON_TESTBED(a_full_file_system_is_not_written_to),
      ON_TESTBED(a_put_during_a_move_wins),
      ON_TESTBED(a_genuine_word_beats_a_moved_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
