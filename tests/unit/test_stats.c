/* test_stats.c - the JSON text says what the struct says. */
#include "support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int64_t number(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  assert_true(json_is_integer(value));
  return json_integer_value(value);
}

static json_t *stats_of(nxc_cache *cache) {
  char *text = nxc_stats_json(cache);
  assert_non_null(text);
  json_t *object = json_loads(text, 0, NULL);
  free(text);
  assert_true(json_is_object(object));
  return object;
}

/* Every field of the struct has a name here; the list is the test's own, so that
 * a field that is forgotten in stats.c is missed. */
/* clang-format off */
#define CLASS_ROWS(X) X(memory_hits) X(disk_hits) X(stale_hits) X(misses) X(puts)
#define NUMBERS(X)                                                                    \
  X(removes) X(marks) X(clears) X(dead_by_tag) X(dead_by_age) X(born_dead)            \
  X(superseded) X(refused) X(memory_evictions) X(disk_recycled) X(disk_overflow)      \
  X(disk_moved) X(corrupt) X(disk_errors) X(floor_raises) X(retries) X(bytes_written)            \
  X(bytes_read) X(memory_bytes) X(memory_limit_bytes) X(memory_items) X(pinned_bytes) \
  X(disk_bytes) X(disk_limit_bytes) X(disk_slots) X(epoch)
/* clang-format on */

static void assert_same(nxc_cache *cache) {
  nxc_stats stats = test_stats(cache);
  json_t *object = stats_of(cache);
#define NUMBER(name) assert_int_equal(number(object, #name), stats.name);
  NUMBERS(NUMBER)
#define ROW(name)                                                                  \
  do {                                                                             \
    const json_t *row = json_object_get(object, #name);                            \
    assert_int_equal(json_array_size(row), NXC_CLASSES);                           \
    for (size_t i = 0; i < NXC_CLASSES; i++) {                                     \
      assert_int_equal(json_integer_value(json_array_get(row, i)), stats.name[i]); \
    }                                                                              \
  } while (0);
  CLASS_ROWS(ROW)
  assert_int_equal(json_is_true(json_object_get(object, "disk")), stats.disk);
#define ONE(name) +1
  assert_int_equal(json_object_size(object), 0 NUMBERS(ONE) CLASS_ROWS(ONE) + 1);
  assert_int_equal(sizeof stats, (0 NUMBERS(ONE) + NXC_CLASSES * (0 CLASS_ROWS(ONE)) + 1) * 8);
  json_decref(object);
}

static void a_new_cache_has_counted_nothing(void **state) {
  (void)state;
  nxc_cache *cache = test_open(NULL);
  assert_same(cache);
  json_t *object = stats_of(cache);
  assert_int_equal(number(object, "marks"), 0);
  assert_true(json_is_false(json_object_get(object, "disk")));
  json_decref(object);
  nxc_close(cache);
}

static void everything_that_was_counted_is_told(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc_cache *cache = test_open(dir);
  const char *const tags[] = {"tag", NULL};
  for (int i = 0; i < 3; i++) test_put(cache, "key", "value", tags);
  test_get(cache, "key");
  test_get(cache, "nothing");
  test_mark(cache, "tag", 60000);
  test_get(cache, "key");
  test_mark(cache, "tag", 0);
  test_get(cache, "key");
  nxc_remove(cache, slice("key"));
  assert_same(cache);
  json_t *object = stats_of(cache);
  assert_int_equal(number(object, "marks"), 2);
  assert_int_equal(number(object, "removes"), 1);
  assert_int_equal(number(object, "dead_by_tag"), 1);
  assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "puts"), 0)), 3);
  assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "stale_hits"), 0)), 1);
  assert_true(number(object, "bytes_written") > 0);
  assert_true(json_is_true(json_object_get(object, "disk")));
  json_decref(object);
  nxc_close(cache);
  test_dir_remove(dir);
}

static void an_unusable_handle_has_no_text(void **state) {
  (void)state;
  assert_null(nxc_stats_json(NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_cache_has_counted_nothing),
      cmocka_unit_test(everything_that_was_counted_is_told),
      cmocka_unit_test(an_unusable_handle_has_no_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
