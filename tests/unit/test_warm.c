/* test_warm.c - what was in use is in memory after a restart, and nothing else changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nextcache_admin.h"
#include "support.h"

#define TAGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LONG_MS 60000

static char *dir;

static int set_up(void **state) {
  (void)state;
  test_clock_set(TEST_EPOCH_MS);
  dir = test_dir_make();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  test_dir_remove(dir);
  return 0;
}

/* Entries k0.., of which the first `used` were read, by a process that has ended. */
static void leave(int count, int used, size_t bytes) {
  char key[16];
  char *value = calloc(1, bytes + 1);
  memset(value, 'x', bytes);
  nxc_cache *c = test_open(dir);
  for (int i = 0; i < count; i++) {
    snprintf(key, sizeof key, "k%d", i);
    assert_int_equal(test_put(c, key, value, TAGS("tag", i % 2 ? "odd" : "even")), NXC_OK);
  }
  for (int i = 0; i < used; i++) {
    snprintf(key, sizeof key, "k%d", i);
    assert_int_equal(test_get(c, key).result, NXC_OK);
  }
  nxc_close(c);
  free(value);
}

static nxc_warmed warmed(nxc_cache *c, int64_t max_ms) {
  nxc_warmed out = {99, 99};
  assert_int_equal(nxc_warm(c, max_ms, &out), NXC_OK);
  return out;
}

static void what_was_used_is_in_memory(void **state) {
  (void)state;
  leave(20, 12, 100);
  nxc_cache *c = test_open(dir);
  nxc_warmed out = warmed(c, LONG_MS);
  assert_int_equal(out.entries, 12);
  assert_true(out.bytes > 12 * 100);
  assert_int_equal(test_stats(c).memory_items, 12);
  assert_int_equal(test_get(c, "k11").in_memory, 1);
  assert_int_equal(test_get(c, "k12").in_memory, 0);
  nxc_close(c);
}

static void it_may_take_as_long_as_it_wants(void **state) {
  (void)state;
  leave(8, 8, 100);
  nxc_cache *c = test_open(dir);
  assert_int_equal(warmed(c, NXC_NEVER).entries, 8);
  nxc_close(c);
}

static void it_counts_as_nobodys_look_up(void **state) {
  (void)state;
  leave(8, 8, 100);
  nxc_cache *c = test_open(dir);
  nxc_stats before = test_stats(c);
  warmed(c, LONG_MS);
  nxc_stats after = test_stats(c);
  assert_memory_equal(before.memory_hits, after.memory_hits, sizeof before.memory_hits);
  assert_memory_equal(before.disk_hits, after.disk_hits, sizeof before.disk_hits);
  assert_memory_equal(before.misses, after.misses, sizeof before.misses);
  assert_int_equal(warmed(c, LONG_MS).entries, 0); /* they are there already */
  nxc_close(c);
}

static void what_is_dead_stays_where_it_is(void **state) {
  (void)state;
  leave(10, 10, 100);
  nxc_cache *c = test_open(dir);
  test_mark(c, "odd", 0);
  assert_int_equal(warmed(c, LONG_MS).entries, 5);
  assert_int_equal(test_get(c, "k1").result, NXC_MISS);
  assert_int_equal(test_get(c, "k2").in_memory, 1);
  nxc_close(c);
}

static void a_mark_after_it_is_obeyed(void **state) {
  (void)state;
  leave(4, 4, 100);
  nxc_cache *c = test_open(dir);
  assert_int_equal(warmed(c, LONG_MS).entries, 4);
  test_mark(c, "even", 0);
  assert_int_equal(test_get(c, "k0").result, NXC_MISS);
  assert_int_equal(test_get(c, "k1").result, NXC_OK);
  nxc_close(c);
}

static void the_newest_first_as_far_as_there_is_room(void **state) {
  (void)state;
  leave(100, 100, 50000);
  nxc_cache *c = test_open(dir); /* 1 MB of memory */
  nxc_warmed out = warmed(c, LONG_MS);
  nxc_stats s = test_stats(c);
  assert_in_range(out.entries, 10, 20);
  assert_int_equal(s.memory_evictions, 0);
  assert_true(s.memory_bytes <= s.memory_limit_bytes);
  assert_int_equal(test_get(c, "k99").in_memory, 1);
  assert_int_equal(test_get(c, "k0").in_memory, 0);
  nxc_close(c);
}

static void the_newest_are_the_last_to_go(void **state) {
  (void)state;
  leave(12, 12, 50000);
  nxc_options o = test_options(dir);
  nxc_cache *c = test_open_with(&o);
  assert_int_equal(warmed(c, LONG_MS).entries, 12);
  assert_int_equal(nxc_set_memory(c, o.memory_bytes, 3), NXC_OK);
  assert_int_equal(test_get(c, "k11").in_memory, 1);
  nxc_close(c);
}

static void no_more_items_than_allowed(void **state) {
  (void)state;
  leave(12, 12, 100);
  nxc_options o = test_options(dir);
  o.memory_items = 5;
  nxc_cache *c = test_open_with(&o);
  assert_int_equal(warmed(c, LONG_MS).entries, 5);
  assert_int_equal(test_stats(c).memory_evictions, 0);
  assert_int_equal(test_get(c, "k11").in_memory, 1);
  nxc_close(c);
}

static void without_time_nothing(void **state) {
  (void)state;
  leave(4, 4, 100);
  nxc_cache *c = test_open(dir);
  assert_int_equal(warmed(c, 0).entries, 0);
  assert_int_equal(nxc_warm(c, -1, &(nxc_warmed){0}), NXC_E_INVALID);
  assert_int_equal(nxc_warm(c, 1, NULL), NXC_E_INVALID);
  nxc_close(c);
}

static void without_a_disk_nothing(void **state) {
  (void)state;
  nxc_cache *c = test_open(NULL);
  test_put(c, "k", "v", NULL);
  assert_int_equal(warmed(c, LONG_MS).entries, 0);
  assert_int_equal(test_get(c, "k").in_memory, 1);
  nxc_close(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_was_used_is_in_memory, set_up, tear_down),
      cmocka_unit_test_setup_teardown(it_may_take_as_long_as_it_wants, set_up, tear_down),
      cmocka_unit_test_setup_teardown(it_counts_as_nobodys_look_up, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_dead_stays_where_it_is, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_mark_after_it_is_obeyed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_newest_first_as_far_as_there_is_room, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_newest_are_the_last_to_go, set_up, tear_down),
      cmocka_unit_test_setup_teardown(no_more_items_than_allowed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(without_time_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(without_a_disk_nothing, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
