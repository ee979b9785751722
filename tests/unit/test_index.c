/* test_index.c - geometry, building, publishing, validating, counters. */
#include "tags.h"
#include "testbed.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void geometry_follows_the_bound(void **state) {
  (void)state;
  static const struct {
    uint64_t bound, segment, segments;
  } rows[] = {
      {8 * MB, MB, 8},           {9 * MB + 5, MB, 9},         {64 * MB, MB, 64},
      {128 * MB, 2 * MB, 64},    {1024 * MB, 16 * MB, 64},    {1000 * MB, 8 * MB, 125},
      {4096 * MB, 16 * MB, 256}, {65536 * MB, 16 * MB, 4096},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    nxc__geometry g = nxc__index_geometry(rows[i].bound, 0);
    assert_int_equal(g.segment_bytes, rows[i].segment);
    assert_int_equal(g.segments, rows[i].segments);
    assert_true((uint64_t)g.segment_bytes * g.segments <= rows[i].bound);
    assert_int_equal(g.buckets * 8, rows[i].bound / 2048 / 8 * 8);
    assert_int_equal(g.tag_buckets, 8192);
  }
  assert_int_equal(nxc__index_geometry(0, 64).segments, 0);
  assert_int_equal(nxc__index_geometry(8 * MB, 1).tag_buckets, 1);
  assert_int_equal(nxc__index_geometry(8 * MB, 9).tag_buckets, 2);
}

static void counters_are_carried_unless_somebody_wrote_over_them(void **state) {
  (void)state;
  nxc__index *from, *to;
  assert_int_equal(nxc__index_anonymous(64, TEST_EPOCH_MS, &from), NXC_OK);
  assert_int_equal(nxc__index_anonymous(64, TEST_EPOCH_MS, &to), NXC_OK);
  nxc__count(from, NXC__C_REMOVES, 3);
  nxc__counters_carry(from, to);
  assert_int_equal(nxc__counter_sum(to, NXC__C_REMOVES), 3);
  assert_int_equal(nxc__counter_sum(from, NXC__C_REMOVES), 0);
  nxc__count(from, NXC__C_REMOVES, UINT64_MAX / 3);
  from->header->instance[0] ^= 1;
  nxc__counters_carry(from, to);
  assert_int_equal(nxc__counter_sum(to, NXC__C_REMOVES), 3);
  nxc__index_close(from);
  nxc__index_close(to);
}

/* Two processes have it open, and one of them has its successor first. */
static void totals_do_not_wait_for_the_last_to_come(void **state) {
  testbed *s = *state;
  nxc__index *other = NULL, *next = NULL;
  assert_int_equal(nxc__index_open(s->dir, &other), NXC_OK);
  nxc__count(s->index, NXC__C_REMOVES, 3);
  nxc__count(other, NXC__C_REMOVES, 40);
  atomic_fetch_or(&s->index->header->epoch, NXC__EPOCH_DEAD);
  nxc__index_unlink(s->dir, s->index);
  testbed_build(s, &s->index->geometry);
  assert_int_equal(nxc__index_open(s->dir, &next), NXC_OK);
  nxc__counters_carry(s->index, next);
  assert_int_equal(nxc__counter_sum(next, NXC__C_REMOVES), 43);
  nxc__count(other, NXC__C_REMOVES, 500); /* it does not know yet */
  nxc__counters_carry(other, next);
  assert_int_equal(nxc__counter_sum(next, NXC__C_REMOVES), 543);
  nxc__index_close(next);
  nxc__index_close(other);
}

/* What others still have open is theirs. */
static void counters_of_others_stay_in_what_is_in_use(void **state) {
  testbed *s = *state;
  nxc__index *other = NULL, *apart = NULL;
  assert_int_equal(nxc__index_open(s->dir, &other), NXC_OK);
  assert_int_equal(nxc__index_anonymous(64, TEST_EPOCH_MS, &apart), NXC_OK);
  nxc__count(s->index, NXC__C_REMOVES, 3);
  nxc__count(other, NXC__C_REMOVES, 40);
  nxc__counters_carry(s->index, apart);
  assert_int_equal(nxc__counter_sum(apart, NXC__C_REMOVES), 3);
  assert_int_equal(nxc__counter_sum(other, NXC__C_REMOVES), 40);
  nxc__index_close(apart);
  nxc__index_close(other);
}

static void an_anonymous_table_has_rows_and_no_slots(void **state) {
  (void)state;
  nxc__index *index = NULL;
  assert_int_equal(nxc__index_anonymous(64, TEST_EPOCH_MS, &index), NXC_OK);
  assert_int_equal(index->fd, -1);
  assert_int_equal(index->geometry.segments, 0);
  assert_int_equal(index->geometry.tag_buckets, 8);
  assert_int_equal(nxc__index_flush(index), 0);
  nxc__count(index, NXC__C_MARKS, 3);
  assert_int_equal(nxc__counter_sum(index, NXC__C_MARKS), 3);
  nxc__index_close(index);
  nxc__index_close(NULL);
}

static void a_missing_index_is_a_miss(void **state) {
  (void)state;
  char *path = test_dir_make();
  int dir = open(path, O_RDONLY | O_DIRECTORY);
  nxc__index *index = NULL;
  assert_int_equal(nxc__index_open(dir, &index), NXC_MISS);
  assert_null(index);
  close(dir);
  test_dir_remove(path);
}

static void what_was_published_is_opened(void **state) {
  testbed *s = *state;
  assert_int_equal(s->index->geometry.segments, 8);
  assert_int_equal(s->index->geometry.buckets, 512);
  assert_int_equal(s->index->map_bytes, nxc__index_file_bytes(&s->index->geometry));
  nxc__index *second = NULL;
  assert_int_equal(nxc__index_open(s->dir, &second), NXC_OK);
  assert_int_equal(second->ino, s->index->ino);
  assert_memory_equal(second->instance, s->index->instance, NXC__ID_SIZE);
  assert_memory_equal(&second->secret, &s->index->secret, sizeof second->secret);
  /* Two mappings of one file: a word written here is read there. */
  atomic_store(&s->index->slots[3], 12345);
  assert_int_equal(atomic_load(&second->slots[3]), 12345);
  nxc__index_close(second);
}

static void the_file_has_all_its_blocks(void **state) {
  testbed *s = *state;
  struct stat status;
  assert_int_equal(fstat(s->index->fd, &status), 0);
  assert_true((uint64_t)status.st_blocks * 512 >= (uint64_t)status.st_size);
  assert_int_equal(status.st_mode & 0777, 0600);
}

static int files_in(int dir) {
  DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
  int count = 0;
  for (struct dirent *entry; (entry = readdir(d)) != NULL;) count += entry->d_name[0] != '.';
  closedir(d);
  return count;
}

static void of_two_creators_one_wins(void **state) {
  testbed *s = *state;
  nxc__plan plan = {.geometry = nxc__index_geometry(8 * MB, 64), .now_ms = TEST_EPOCH_MS};
  assert_int_equal(nxc__index_create(s->dir, &plan), NXC_MISS);
  assert_int_equal(files_in(s->dir), 2); /* the loser leaves nothing behind */
  nxc__index *second = NULL;
  assert_int_equal(nxc__index_open(s->dir, &second), NXC_OK);
  assert_int_equal(second->ino, s->index->ino);
  nxc__index_close(second);
  char data[48];
  nxc__index_data_name(s->index->instance, data);
  assert_int_equal(faccessat(s->dir, data, F_OK, 0), 0);
}

static void sweeping_leaves_the_index_and_its_data(void **state) {
  testbed *s = *state;
  const char *const junk[] = {"data-00000000000000000000000000000000", "tmp-x", "notes.txt"};
  for (size_t i = 0; i < 3; i++) close(openat(s->dir, junk[i], O_CREAT | O_WRONLY, 0600));
  nxc__index_sweep(s->dir, s->index);
  assert_int_equal(faccessat(s->dir, junk[0], F_OK, 0), -1);
  assert_int_equal(faccessat(s->dir, junk[1], F_OK, 0), -1);
  assert_int_equal(faccessat(s->dir, junk[2], F_OK, 0), 0); /* not ours */
  assert_int_equal(faccessat(s->dir, "index", F_OK, 0), 0);
  char data[48];
  nxc__index_data_name(s->index->instance, data);
  assert_int_equal(faccessat(s->dir, data, F_OK, 0), 0);
}

/* A creator that was stopped before its sweep wakes up when another index
 * stands: it must not take that one's files. */
static void a_late_sweep_takes_nothing(void **state) {
  testbed *s = *state;
  nxc__index *old = s->index;
  nxc__ring_close(&s->ring);
  nxc__index_unlink(s->dir, old);
  nxc__geometry g = nxc__index_geometry(8 * MB, 64);
  testbed_build(s, &g);
  testbed_map(s);
  nxc__index_sweep(s->dir, old);
  char data[48];
  nxc__index_data_name(s->index->instance, data);
  assert_int_equal(faccessat(s->dir, data, F_OK, 0), 0);
  nxc__index_unlink(s->dir, old); /* nor does a late unlink */
  assert_int_equal(faccessat(s->dir, "index", F_OK, 0), 0);
  assert_int_equal(faccessat(s->dir, data, F_OK, 0), 0);
  nxc__index_close(old);
}

/* Every bit of the checked part of the header, and every wrong length. */
static void a_header_that_does_not_prove_itself_is_refused(void **state) {
  testbed *s = *state;
  int fd = openat(s->dir, "index", O_RDWR);
  for (size_t at = 0; at < offsetof(nxc__header, check) + 8; at++) {
    for (int bit = 0; bit < 8; bit++) {
      unsigned char byte, flipped;
      assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
      flipped = (unsigned char)(byte ^ (1 << bit));
      assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
      nxc__index *index = NULL;
      assert_int_equal(nxc__index_open(s->dir, &index), NXC_E_FORMAT);
      assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
  }
  close(fd);
  nxc__index *index = NULL;
  assert_int_equal(nxc__index_open(s->dir, &index), NXC_OK);
  nxc__index_close(index);
}

static void a_file_of_another_length_is_refused(void **state) {
  testbed *s = *state;
  char path[512];
  (void)snprintf(path, sizeof path, "%s/index", s->path);
  off_t size = (off_t)s->index->map_bytes;
  static const off_t wrong[] = {-4096, -1, 1, 4096};
  nxc__index *index = NULL;
  /* Only while nobody maps it: truncation is SIGBUS for who does. */
  testbed_unmap(s);
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    assert_int_equal(truncate(path, size + wrong[i]), 0);
    assert_int_equal(nxc__index_open(s->dir, &index), NXC_E_FORMAT);
  }
  static const off_t tiny[] = {0, 1, 8, 100};
  for (size_t i = 0; i < COUNT_OF(tiny); i++) {
    assert_int_equal(truncate(path, tiny[i]), 0);
    assert_int_equal(nxc__index_open(s->dir, &index), NXC_E_FORMAT);
  }
  assert_int_equal(unlink(path), 0);
  nxc__geometry g = nxc__index_geometry(8 * MB, 64);
  testbed_build(s, &g);
  testbed_map(s);
}

static void what_is_no_file_is_refused(void **state) {
  testbed *s = *state;
  assert_int_equal(renameat(s->dir, "index", s->dir, "elsewhere"), 0);
  nxc__index *index = NULL;
  assert_int_equal(symlinkat("elsewhere", s->dir, "index"), 0);
  assert_int_equal(nxc__index_open(s->dir, &index), NXC_E_FORMAT);
  assert_int_equal(unlinkat(s->dir, "index", 0), 0);
  assert_int_equal(mkfifoat(s->dir, "index", 0600), 0);
  assert_int_equal(nxc__index_open(s->dir, &index), NXC_E_FORMAT);
  assert_int_equal(unlinkat(s->dir, "index", 0), 0);
  assert_int_equal(mkdirat(s->dir, "index", 0700), 0);
  assert_int_equal(nxc__index_open(s->dir, &index), NXC_E_FORMAT);
  assert_int_equal(unlinkat(s->dir, "index", AT_REMOVEDIR), 0);
}

static void counters_of_each_mapping_are_summed_and_kept(void **state) {
  testbed *s = *state;
  nxc__index *second = NULL;
  assert_int_equal(nxc__index_open(s->dir, &second), NXC_OK);
  assert_int_not_equal(second->counter_row, s->index->counter_row);
  nxc__count(s->index, NXC__C_MARKS, 2);
  nxc__count(second, NXC__C_MARKS, 3);
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_MARKS), 5);
  nxc__index_close(second);
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_MARKS), 5);
  /* The row of the one that is gone is taken over without losing its count. */
  assert_int_equal(nxc__index_open(s->dir, &second), NXC_OK);
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_MARKS), 5);
  nxc__index_close(second);
}

static void more_mappings_than_counter_rows_still_count(void **state) {
  testbed *s = *state;
  enum { MAPPINGS = NXC__COUNTER_ROWS + 10 };
  nxc__index *mappings[MAPPINGS];
  for (int i = 0; i < MAPPINGS; i++) {
    assert_int_equal(nxc__index_open(s->dir, &mappings[i]), NXC_OK);
    nxc__count(mappings[i], NXC__C_REMOVES, 1);
  }
  assert_int_equal(nxc__counter_sum(s->index, NXC__C_REMOVES), MAPPINGS);
  for (int i = 0; i < MAPPINGS; i++) nxc__index_close(mappings[i]);
}

/* After a boot the words on the disk may be older than those that were in use:
 * every epoch and every position that may have been given out is left behind. */
static void another_boot_jumps_over_what_may_have_been_given_out(void **state) {
  testbed *s = *state;
  uint64_t epoch = nxc__epoch_load(s->index);
  uint64_t ceiling = atomic_load(&s->index->header->ceiling);
  atomic_store(&s->index->header->boot, 12345);
  testbed_unmap(s);
  testbed_map(s);
  assert_int_equal(nxc__epoch_load(s->index), epoch + NXC__BOOT_JUMP);
  uint64_t next = (atomic_load(&s->index->header->cursor) >> 32) + 1;
  assert_true(next >= ceiling);
  assert_true(atomic_load(&s->index->header->ceiling) > next);
  testbed_unmap(s);
  testbed_map(s);
  assert_int_equal(nxc__epoch_load(s->index), epoch + NXC__BOOT_JUMP);
}

static void an_epoch_goes_on_above_the_one_that_died(void **state) {
  (void)state;
  testbed s = {.path = test_dir_make()};
  s.dir = open(s.path, O_RDONLY | O_DIRECTORY);
  uint64_t above = UINT64_C(1) << 52;
  nxc__plan plan = {.geometry = nxc__index_geometry(8 * MB, 64),
                    .now_ms = TEST_EPOCH_MS,
                    .epoch_above = above,
                    .floor_wall_ms = TEST_EPOCH_MS,
                    .origin_wall_ms = TEST_EPOCH_MS - 1};
  assert_int_equal(nxc__index_create(s.dir, &plan), NXC_OK);
  testbed_map(&s);
  assert_true(nxc__epoch_load(s.index) > above);
  assert_true(nxc__epoch_load(s.index) < UINT64_C(1) << 53);
  assert_int_equal(atomic_load(&s.index->header->floor), nxc__epoch_load(s.index));
  assert_int_equal(atomic_load(&s.index->header->floor_wall_ms), TEST_EPOCH_MS);
  assert_int_equal(atomic_load(&s.index->header->origin), nxc__epoch_load(s.index));
  assert_int_equal(atomic_load(&s.index->header->origin_wall_ms), TEST_EPOCH_MS - 1);
  testbed_close(&s);
}

/* Another bound: a new index takes the place of the old one and keeps its rows,
 * under the same key, so that what was marked stays marked. */
static void a_replacement_keeps_the_marks(void **state) {
  testbed *s = *state;
  nxc__life life = {nxc__epoch_load(s->index), TEST_EPOCH_MS, NXC_NEVER, NXC_NEVER};
  nxc_slice tag = slice("tag");
  nxc__tags_mark(s->index, &tag, 1, 0, TEST_EPOCH_MS);
  nxc__index *old = s->index;
  nxc__ring_close(&s->ring);
  nxc__plan plan = {.geometry = nxc__index_geometry(16 * MB, 64),
                    .now_ms = TEST_EPOCH_MS,
                    .epoch_above = nxc__epoch_load(old),
                    .replaces = old};
  assert_int_equal(nxc__index_create(s->dir, &plan), NXC_OK);
  assert_true(nxc__epoch_load(old) & NXC__EPOCH_DEAD);
  testbed_map(s);
  assert_int_not_equal(s->index->ino, old->ino);
  assert_int_equal(s->index->geometry.segments, 16);
  assert_true(nxc__epoch_load(s->index) > life.birth);
  nxc__fate fate;
  nxc__fate_init(&fate);
  nxc__tags_judge(s->index, tag, &life, &fate, 0);
  assert_true(fate.dead);
  nxc__index_sweep(s->dir, s->index);
  assert_int_equal(files_in(s->dir), 2);
  nxc__index_close(old);
}

static void only_the_last_one_may_claim(void **state) {
  testbed *s = *state;
  nxc__index *second = NULL;
  assert_int_equal(nxc__index_open(s->dir, &second), NXC_OK);
  assert_false(nxc__index_claim(s->index));
  assert_false(nxc__index_claim(second));
  nxc__index_close(second);
  assert_true(nxc__index_claim(s->index));
}

static void a_word_is_only_ever_raised(void **state) {
  (void)state;
  nxc__word word = 5;
  assert_false(nxc__word_raise(&word, 4));
  assert_false(nxc__word_raise(&word, 5));
  assert_true(nxc__word_raise(&word, 6));
  assert_int_equal(atomic_load(&word), 6);
}

#define ON_TESTBED(test) cmocka_unit_test_setup_teardown(test, on_testbed, off_testbed)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(geometry_follows_the_bound),
      cmocka_unit_test(an_anonymous_table_has_rows_and_no_slots),
      cmocka_unit_test(counters_are_carried_unless_somebody_wrote_over_them),
      ON_TESTBED(totals_do_not_wait_for_the_last_to_come),
      ON_TESTBED(counters_of_others_stay_in_what_is_in_use),
      cmocka_unit_test(a_missing_index_is_a_miss),
      ON_TESTBED(what_was_published_is_opened),
      ON_TESTBED(the_file_has_all_its_blocks),
      ON_TESTBED(of_two_creators_one_wins),
      ON_TESTBED(sweeping_leaves_the_index_and_its_data),
      ON_TESTBED(a_late_sweep_takes_nothing),
      ON_TESTBED(a_header_that_does_not_prove_itself_is_refused),
      ON_TESTBED(a_file_of_another_length_is_refused),
      ON_TESTBED(what_is_no_file_is_refused),
      ON_TESTBED(counters_of_each_mapping_are_summed_and_kept),
      ON_TESTBED(more_mappings_than_counter_rows_still_count),
      ON_TESTBED(another_boot_jumps_over_what_may_have_been_given_out),
      cmocka_unit_test(an_epoch_goes_on_above_the_one_that_died),
      ON_TESTBED(a_replacement_keeps_the_marks),
      ON_TESTBED(only_the_last_one_may_claim),
      cmocka_unit_test(a_word_is_only_ever_raised),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
