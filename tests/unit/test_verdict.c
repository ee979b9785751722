/* test_verdict.c - the table of what is fresh, stale and dead.
 *
 * One row is one sentence: an entry of this birth and lifetime, these marks,
 * this moment, hence this verdict.
 */
#include "support.h"

#include <stdio.h>

#include "verdict.h"

#define T TEST_EPOCH_MS /* when the entry was created */
#define NEVER NXC_NEVER
#define SLACK NXC__CLOCK_SLACK_MS

typedef struct row {
  const char *text;
  nxc__life life;      /* birth, created, revalidate, expire */
  nxc__marks marks[2]; /* dead, stale, deadline, wall of dead, wall of stale */
  uint64_t floor;
  int64_t floor_wall_ms;
  uint64_t epoch;
  int64_t now_ms;
  /* expected */
  nxc_result result;
  nxc_why why;
  int64_t dead_at_ms;
  int tag;
} row;

#define LIFE(birth, revalidate, expire) \
  { birth, T, revalidate, expire }
#define UNBORN(created) \
  { 0, created, NEVER, NEVER }
#define NO_FLOOR 0, 0

/* clang-format off */
static const row table[] = {
    /* ---- age ---- */
    {"no end, no marks", LIFE(5, NEVER, NEVER), {{0}}, NO_FLOOR, 9, T, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"still so in a hundred years", LIFE(5, NEVER, NEVER), {{0}}, NO_FLOOR, 9, T + INT64_C(3155760000000), NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"as old as its revalidate is fresh", LIFE(5, 1000, NEVER), {{0}}, NO_FLOOR, 9, T + 1000, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"older than its revalidate is stale", LIFE(5, 1000, NEVER), {{0}}, NO_FLOOR, 9, T + 1001, NXC_STALE, NXC_WHY_AGE, NEVER, -1},
    {"a revalidate of 0 is stale after one ms", LIFE(5, 0, NEVER), {{0}}, NO_FLOOR, 9, T + 1, NXC_STALE, NXC_WHY_AGE, NEVER, -1},
    {"just before its expire it lives", LIFE(5, NEVER, 2000), {{0}}, NO_FLOOR, 9, T + 1999, NXC_OK, NXC_WHY_NONE, T + 2000, -1},
    {"as old as its expire is dead", LIFE(5, NEVER, 2000), {{0}}, NO_FLOOR, 9, T + 2000, NXC_MISS, NXC_WHY_AGE, T + 2000, -1},
    {"stale before, dead after", LIFE(5, 1000, 2000), {{0}}, NO_FLOOR, 9, T + 1500, NXC_STALE, NXC_WHY_AGE, T + 2000, -1},
    {"expire beats a later revalidate", LIFE(5, 3000, 2000), {{0}}, NO_FLOOR, 9, T + 2500, NXC_MISS, NXC_WHY_AGE, T + 2000, -1},
    {"an expire of 0 is dead at once", LIFE(5, NEVER, 0), {{0}}, NO_FLOOR, 9, T, NXC_MISS, NXC_WHY_AGE, T, -1},
    {"an enormous lifetime does not overflow", LIFE(5, NEVER - 1, NEVER - 1), {{0}}, NO_FLOOR, 9, T, NXC_OK, NXC_WHY_NONE, NEVER, -1},

    /* ---- the future ---- */
    {"born at the epoch", LIFE(9, NEVER, NEVER), {{0}}, NO_FLOOR, 9, T, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"born after the epoch", LIFE(10, NEVER, NEVER), {{0}}, NO_FLOOR, 9, T, NXC_MISS, NXC_WHY_FUTURE, NEVER, -1},
    {"created a little ahead is a clock's step", LIFE(5, NEVER, NEVER), {{0}}, NO_FLOOR, 9, T - SLACK, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"created in the future", LIFE(5, NEVER, NEVER), {{0}}, NO_FLOOR, 9, T - SLACK - 1, NXC_MISS, NXC_WHY_FUTURE, NEVER, -1},
    {"created ten years ahead, expired by then", LIFE(5, NEVER, 1000), {{0}}, NO_FLOOR, 9, T - INT64_C(315360000000), NXC_MISS, NXC_WHY_FUTURE, T + 1000, -1},

    /* ---- dead now ---- */
    {"marked before birth", LIFE(5, NEVER, NEVER), {{.dead = 4, .dead_wall_ms = T + 50}}, NO_FLOOR, 9, T + 99, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"marked at birth: the work began after it", LIFE(5, NEVER, NEVER), {{.dead = 5, .dead_wall_ms = T + 50}}, NO_FLOOR, 9, T + 99, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"marked after birth", LIFE(5, NEVER, NEVER), {{.dead = 6, .dead_wall_ms = T + 50}}, NO_FLOOR, 9, T + 99, NXC_MISS, NXC_WHY_TAG, NEVER, 0},
    {"the clock has no say in it", LIFE(5, NEVER, NEVER), {{.dead = 6, .dead_wall_ms = T - INT64_C(315360000000)}}, NO_FLOOR, 9, T, NXC_MISS, NXC_WHY_TAG, NEVER, 0},
    {"by the second tag", LIFE(5, NEVER, NEVER), {{.dead = 4}, {.dead = 6}}, NO_FLOOR, 9, T, NXC_MISS, NXC_WHY_TAG, NEVER, 1},
    {"dead beats the age", LIFE(5, 0, 10), {{.dead = 6}}, NO_FLOOR, 9, T + 99, NXC_MISS, NXC_WHY_TAG, T + 10, 0},

    /* ---- stale now, dead later ---- */
    {"stale before birth", LIFE(5, NEVER, NEVER), {{.stale = 5, .deadline_ms = T + 10}}, NO_FLOOR, 9, T + 99, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"stale after birth, without a deadline", LIFE(5, NEVER, NEVER), {{.stale = 6}}, NO_FLOOR, 9, T + 99, NXC_STALE, NXC_WHY_TAG, NEVER, 0},
    {"stale, its deadline to come", LIFE(5, NEVER, NEVER), {{.stale = 6, .deadline_ms = T + 100}}, NO_FLOOR, 9, T + 99, NXC_STALE, NXC_WHY_TAG, T + 100, 0},
    {"stale, its deadline reached", LIFE(5, NEVER, NEVER), {{.stale = 6, .deadline_ms = T + 100}}, NO_FLOOR, 9, T + 100, NXC_MISS, NXC_WHY_TAG, T + 100, 0},
    {"the earlier of two deadlines", LIFE(5, NEVER, NEVER), {{.stale = 6, .deadline_ms = T + 200}, {.stale = 7, .deadline_ms = T + 100}}, NO_FLOOR, 9, T + 150, NXC_MISS, NXC_WHY_TAG, T + 100, 1},
    {"the earlier of deadline and expire", LIFE(5, NEVER, 50), {{.stale = 6, .deadline_ms = T + 100}}, NO_FLOOR, 9, T + 10, NXC_STALE, NXC_WHY_TAG, T + 50, 0},
    {"a deadline that is not for it", LIFE(7, NEVER, NEVER), {{.stale = 6, .deadline_ms = T + 100}, {.stale = 8}}, NO_FLOOR, 9, T + 500, NXC_STALE, NXC_WHY_TAG, NEVER, 1},
    {"stale by mark is told before stale by age", LIFE(5, 10, NEVER), {{.stale = 6}}, NO_FLOOR, 9, T + 99, NXC_STALE, NXC_WHY_TAG, NEVER, 0},

    /* ---- the two do not hide each other ---- */
    {"dead in a year, then dead now", LIFE(5, NEVER, NEVER), {{.stale = 6, .deadline_ms = T + INT64_C(31536000000), .dead = 7}}, NO_FLOOR, 9, T, NXC_MISS, NXC_WHY_TAG, T + INT64_C(31536000000), 0},
    {"dead now, born again, then stale", LIFE(7, NEVER, NEVER), {{.dead = 6, .stale = 8, .deadline_ms = T + 100}}, NO_FLOOR, 9, T, NXC_STALE, NXC_WHY_TAG, T + 100, 0},

    /* ---- the floor ---- */
    {"born before the floor", LIFE(5, NEVER, NEVER), {{0}}, 6, T, 9, T, NXC_MISS, NXC_WHY_FLOOR, NEVER, -1},
    {"born at the floor", LIFE(6, NEVER, NEVER), {{0}}, 6, T, 9, T, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"a known mark is told before the floor", LIFE(5, NEVER, NEVER), {{.dead = 7}}, 8, T, 9, T, NXC_MISS, NXC_WHY_TAG, NEVER, 0},
    {"no floor", LIFE(1, NEVER, NEVER), {{0}}, 0, 0, 9, T, NXC_OK, NXC_WHY_NONE, NEVER, -1},

    /* ---- without a birth: the wall time of the marks ---- */
    {"unborn, marked before it was made", UNBORN(T), {{.dead = 9, .dead_wall_ms = T - 1}}, NO_FLOOR, 9, T, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"unborn, marked in the same ms", UNBORN(T), {{.dead = 1, .dead_wall_ms = T}}, NO_FLOOR, 9, T, NXC_MISS, NXC_WHY_TAG, NEVER, 0},
    {"unborn, marked later", UNBORN(T), {{.dead = 1, .dead_wall_ms = T + 1}}, NO_FLOOR, 9, T + 2, NXC_MISS, NXC_WHY_TAG, NEVER, 0},
    {"unborn, never marked dead", UNBORN(T), {{.dead = 0, .dead_wall_ms = T + 1}}, NO_FLOOR, 9, T + 2, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"unborn, marked stale later", UNBORN(T), {{.stale = 1, .stale_wall_ms = T + 1}}, NO_FLOOR, 9, T + 2, NXC_STALE, NXC_WHY_TAG, NEVER, 0},
    {"unborn, marked stale before", UNBORN(T), {{.stale = 1, .stale_wall_ms = T - 1, .deadline_ms = T + 1}}, NO_FLOOR, 9, T + 2, NXC_OK, NXC_WHY_NONE, NEVER, -1},
    {"unborn, made before the floor", UNBORN(T), {{0}}, 6, T, 9, T + 1, NXC_MISS, NXC_WHY_FLOOR, NEVER, -1},
    {"unborn, made after the floor", UNBORN(T + 1), {{0}}, 6, T, 9, T + 1, NXC_OK, NXC_WHY_NONE, NEVER, -1},
};
/* clang-format on */

static void every_row_of_the_table_holds(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(table); i++) {
    const row *r = &table[i];
    nxc__fate fate;
    nxc__fate_init(&fate);
    for (int tag = 0; tag < 2; tag++) nxc__fate_add(&fate, &r->life, &r->marks[tag], tag);
    nxc__fate_add_floor(&fate, &r->life, r->floor, r->floor_wall_ms);
    nxc_why why = (nxc_why)-1;
    int64_t dead_at_ms = -1;
    int tag = -2;
    nxc_result result = nxc__verdict(&r->life, &fate, r->epoch, r->now_ms, &why, &dead_at_ms, &tag);
    if (result != r->result || why != r->why || dead_at_ms != r->dead_at_ms || tag != r->tag) {
      fail_msg("\"%s\": result %d (expected %d), why %d (%d), dead at T%+lld (T%+lld), tag %d (%d)",
               r->text, result, r->result, why, r->why, (long long)(dead_at_ms - T),
               (long long)(r->dead_at_ms - T), tag, r->tag);
    }
  }
}

/* Whatever the order in which tags are looked at, the verdict is the same. */
static void the_order_of_tags_does_not_matter(void **state) {
  (void)state;
  test_random random = test_random_seed(11);
  for (size_t round = 0; round < 20000; round++) {
    nxc__life life = {1 + test_random_below(&random, 8), T, NEVER, NEVER};
    nxc__marks marks[3];
    for (size_t i = 0; i < 3; i++) {
      marks[i] = (nxc__marks){.dead = test_random_below(&random, 6),
                              .stale = test_random_below(&random, 12),
                              .deadline_ms = (int64_t)test_random_below(&random, 2) *
                                             (T + (int64_t)test_random_below(&random, 4))};
    }
    nxc_result results[2];
    int64_t dead_at[2];
    for (int order = 0; order < 2; order++) {
      nxc__fate fate;
      nxc_why why;
      int tag;
      nxc__fate_init(&fate);
      for (int i = 0; i < 3; i++) {
        int index = order ? 2 - i : i;
        nxc__fate_add(&fate, &life, &marks[index], index);
      }
      results[order] = nxc__verdict(&life, &fate, 20, T + 2, &why, &dead_at[order], &tag);
    }
    assert_int_equal(results[0], results[1]);
    assert_true(dead_at[0] == dead_at[1]);
  }
}

/* More marks never make an entry fresher, and it never comes back to life. */
static void time_and_marks_only_make_it_worse(void **state) {
  (void)state;
  static const int badness[] = {[NXC_OK] = 0, [NXC_STALE] = 1, [NXC_MISS] = 2};
  test_random random = test_random_seed(12);
  for (size_t round = 0; round < 20000; round++) {
    nxc__life life = {1 + test_random_below(&random, 8), T,
                      (int64_t)test_random_below(&random, 100),
                      (int64_t)test_random_below(&random, 100)};
    nxc__fate fate;
    nxc__fate_init(&fate);
    int worst = 0;
    for (int64_t step = 0; step < 10; step++) {
      nxc__marks marks = {.dead = test_random_below(&random, 3),
                          .stale = test_random_below(&random, 10),
                          .deadline_ms = T + (int64_t)test_random_below(&random, 200)};
      if (test_random_below(&random, 2)) nxc__fate_add(&fate, &life, &marks, 0);
      nxc_why why;
      int64_t dead_at_ms;
      int tag;
      int now = badness[nxc__verdict(&life, &fate, 20, T + step * 15, &why, &dead_at_ms, &tag)];
      assert_true(now >= worst);
      assert_true((now == 2) == (fate.dead || dead_at_ms <= T + step * 15));
      assert_true((now == 0) == (why == NXC_WHY_NONE));
      worst = now;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_of_the_table_holds),
      cmocka_unit_test(the_order_of_tags_does_not_matter),
      cmocka_unit_test(time_and_marks_only_make_it_worse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
