/* test_tags.c - marks and questions over the rows of an anonymous table. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "tags.h"

#define NOW TEST_EPOCH_MS

static nxc__index *table_of(uint32_t rows) {
  nxc__index *index = NULL;
  assert_int_equal(nxc__index_anonymous(rows, NOW, &index), NXC_OK);
  return index;
}

static void mark(nxc__index *index, const char *tag, int64_t dead_after_ms, int64_t now_ms) {
  nxc_slice tags[] = {slice(tag)};
  nxc__tags_mark(index, tags, 1, dead_after_ms, now_ms);
}

static nxc__life born_now(const nxc__index *index) {
  return (nxc__life){nxc__epoch_load(index), NOW, NXC_NEVER, NXC_NEVER};
}

static nxc__fate fate_of(nxc__index *index, const char *tag, const nxc__life *life) {
  nxc__fate fate;
  nxc__fate_init(&fate);
  nxc__tags_judge(index, slice(tag), life, &fate, 0);
  nxc__tags_judge_floor(index, life, true, &fate);
  return fate;
}

static nxc__fate untagged_fate_of(nxc__index *index, const nxc__life *life) {
  nxc__fate fate;
  nxc__fate_init(&fate);
  nxc__tags_judge_floor(index, life, false, &fate);
  return fate;
}

static void an_unmarked_tag_says_nothing(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index);
  nxc__fate fate = fate_of(index, "tag", &life);
  assert_false(fate.dead || fate.stale || fate.floor);
  assert_true(fate.deadline_ms == NXC_NEVER);
  nxc__index_close(index);
}

static void a_mark_moves_the_epoch_and_one_row(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index);
  mark(index, "tag", 0, NOW);
  assert_int_equal(nxc__epoch_load(index), life.birth + 1);
  assert_true(fate_of(index, "tag", &life).dead);
  assert_false(fate_of(index, "other", &life).dead);
  nxc__life after = born_now(index);
  assert_false(fate_of(index, "tag", &after).dead);
  nxc__index_close(index);
}

static void many_tags_of_one_mark_move_the_epoch_once(void **state) {
  (void)state;
  nxc__index *index = table_of(256);
  nxc__life life = born_now(index);
  nxc_slice tags[] = {slice("a"), slice("b"), slice("c"), slice("a")};
  nxc__tags_mark(index, tags, 4, 0, NOW);
  assert_int_equal(nxc__epoch_load(index), life.birth + 1);
  assert_true(fate_of(index, "a", &life).dead);
  assert_true(fate_of(index, "b", &life).dead);
  assert_true(fate_of(index, "c", &life).dead);
  nxc__index_close(index);
}

static void a_deadline_is_kept(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index);
  mark(index, "tag", 5000, NOW);
  nxc__fate fate = fate_of(index, "tag", &life);
  assert_true(fate.stale && !fate.dead);
  assert_true(fate.deadline_ms == NOW + 5000);
  nxc__index_close(index);
}

static void the_earlier_deadline_holds(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index);
  mark(index, "tag", 5000, NOW);
  mark(index, "tag", 60000, NOW + 1);
  assert_true(fate_of(index, "tag", &life).deadline_ms == NOW + 5000);
  mark(index, "tag", 1000, NOW + 2);
  assert_true(fate_of(index, "tag", &life).deadline_ms == NOW + 1002);
  mark(index, "tag", NXC_NEVER, NOW + 3);
  assert_true(fate_of(index, "tag", &life).deadline_ms == NOW + 1002);
  nxc__index_close(index);
}

static void a_passed_deadline_is_folded_in(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life before = born_now(index);
  mark(index, "tag", 1000, NOW);
  nxc__life between = born_now(index);
  mark(index, "tag", 60000, NOW + 1000);
  nxc__fate fate = fate_of(index, "tag", &before);
  assert_true(fate.dead);
  fate = fate_of(index, "tag", &between);
  assert_true(!fate.dead && fate.stale);
  assert_true(fate.deadline_ms == NOW + 61000);
  nxc__index_close(index);
}

static void a_deadline_without_end_does_not_overflow(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index);
  mark(index, "tag", NXC_NEVER - 1, NOW);
  nxc__fate fate = fate_of(index, "tag", &life);
  assert_true(fate.stale && !fate.dead && fate.deadline_ms == NXC_NEVER);
  nxc__index_close(index);
}

static void dead_now_is_not_hidden_by_dead_later(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index);
  mark(index, "tag", INT64_C(31536000000), NOW);
  assert_false(fate_of(index, "tag", &life).dead);
  mark(index, "tag", 0, NOW);
  assert_true(fate_of(index, "tag", &life).dead);
  nxc__life second = born_now(index);
  mark(index, "tag", INT64_C(31536000000), NOW);
  assert_true(fate_of(index, "tag", &life).dead);
  assert_false(fate_of(index, "tag", &second).dead);
  nxc__index_close(index);
}

/* Ten times as many tags as rows: whoever was marked stays dead, by its row or
 * by the floor, and content born now is never hit. */
static void rows_that_run_out_raise_the_floor(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  enum { TAGS = 640 };
  nxc__life life[TAGS];
  for (int i = 0; i < TAGS; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "tag %d", i);
    life[i] = born_now(index);
    mark(index, name, 0, NOW + i);
    nxc__life now = born_now(index);
    assert_false(fate_of(index, name, &now).dead);
    for (int j = 0; j <= i; j += 7) {
      (void)snprintf(name, sizeof name, "tag %d", j);
      assert_true(fate_of(index, name, &life[j]).dead);
    }
  }
  assert_true(nxc__counter_sum(index, NXC__C_FLOOR_RAISES) > 0);
  nxc__index_close(index);
}

/* Every freeing of a row must move the epoch: a reader that looked before it
 * would else go on believing what it saw. */
static void a_row_that_goes_moves_the_epoch(void **state) {
  (void)state;
  nxc__index *index = table_of(8);
  for (int i = 0; i < 8; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "tag %d", i);
    mark(index, name, 0, NOW);
  }
  uint64_t floor = atomic_load(&index->header->floor), epoch = nxc__epoch_load(index);
  mark(index, "one more", 0, NOW);
  assert_true(atomic_load(&index->header->floor) > floor);
  assert_int_equal(nxc__epoch_load(index), epoch + 2);
  nxc__index_close(index);
}

static void a_row_left_dying_by_a_kill_is_finished_by_the_next(void **state) {
  (void)state;
  nxc__index *index = table_of(8);
  nxc__life life = born_now(index);
  mark(index, "tag", 0, NOW);
  uint64_t hash = nxc__hash_tag(&index->secret, slice("tag"));
  nxc__tag_bucket *bucket = &index->tag_buckets[0];
  int way = 0;
  while (atomic_load(&bucket->hash[way]) != hash) way++;
  atomic_fetch_or(&bucket->hash[way], NXC__ROW_DYING);
  assert_true(fate_of(index, "tag", &life).dead); /* still heard */
  nxc__life second = born_now(index);
  mark(index, "tag", 0, NOW);
  assert_true(fate_of(index, "tag", &life).dead);
  assert_true(fate_of(index, "tag", &second).dead);
  nxc__life third = born_now(index);
  assert_false(fate_of(index, "tag", &third).dead);
  nxc__index_close(index);
}

static void raising_the_floor_kills_all_that_is_tagged(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index), unborn = {0, NOW, NXC_NEVER, NXC_NEVER};
  nxc__tags_raise_floor(index, false, NOW);
  assert_false(untagged_fate_of(index, &life).dead);
  assert_true(fate_of(index, "any", &life).floor);
  assert_true(fate_of(index, "any", &unborn).floor);
  life = born_now(index);
  unborn.created_ms = NOW + 1;
  assert_false(fate_of(index, "any", &life).dead);
  assert_false(fate_of(index, "any", &unborn).dead);
  nxc__index_close(index);
}

static void raising_all_of_it_kills_what_carries_no_tag_too(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  nxc__life life = born_now(index), unborn = {0, NOW, NXC_NEVER, NXC_NEVER};
  nxc__tags_raise_floor(index, true, NOW);
  assert_true(untagged_fate_of(index, &life).floor);
  assert_true(untagged_fate_of(index, &unborn).floor);
  assert_true(fate_of(index, "any", &life).floor);
  life = born_now(index);
  assert_false(untagged_fate_of(index, &life).dead);
  nxc__index_close(index);
}

static void content_without_a_birth_is_judged_by_the_wall(void **state) {
  (void)state;
  nxc__index *index = table_of(64);
  mark(index, "tag", 0, NOW + 10);
  nxc__life before = {0, NOW + 9, NXC_NEVER, NXC_NEVER};
  nxc__life after = {0, NOW + 11, NXC_NEVER, NXC_NEVER};
  assert_true(fate_of(index, "tag", &before).dead);
  assert_false(fate_of(index, "tag", &after).dead);
  nxc__index_close(index);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_unmarked_tag_says_nothing),
      cmocka_unit_test(a_mark_moves_the_epoch_and_one_row),
      cmocka_unit_test(many_tags_of_one_mark_move_the_epoch_once),
      cmocka_unit_test(a_deadline_is_kept),
      cmocka_unit_test(the_earlier_deadline_holds),
      cmocka_unit_test(a_passed_deadline_is_folded_in),
      cmocka_unit_test(a_deadline_without_end_does_not_overflow),
      cmocka_unit_test(dead_now_is_not_hidden_by_dead_later),
      cmocka_unit_test(rows_that_run_out_raise_the_floor),
      cmocka_unit_test(a_row_that_goes_moves_the_epoch),
      cmocka_unit_test(a_row_left_dying_by_a_kill_is_finished_by_the_next),
      cmocka_unit_test(raising_the_floor_kills_all_that_is_tagged),
      cmocka_unit_test(raising_all_of_it_kills_what_carries_no_tag_too),
      cmocka_unit_test(content_without_a_birth_is_judged_by_the_wall),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
