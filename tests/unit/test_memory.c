/* test_memory.c - the memory tier alone: order, bounds, references. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static nxc__secret secret;
static const nxc__known unknown = {.token = {NULL, 0}};

static nxc__hash hash_of(const char *key) {
  return nxc__hash_key(&secret, slice(key));
}

static nxc_entry *entry_of(const char *key, size_t size) {
  nxc_entry *entry = NULL;
  char *bytes = calloc(1, size + 1);
  nxc_slice part = slice_of(bytes, size);
  nxc_record record = test_record(slice(key), &part);
  assert_int_equal(nxc__record_build(&record, &entry), NXC_OK);
  free(bytes);
  return entry;
}

static bool insert(nxc__memory *memory, const char *key, size_t size) {
  nxc_entry *entry = entry_of(key, size);
  bool kept = nxc__memory_insert(memory, hash_of(key), entry, &unknown);
  nxc_entry_unref(entry);
  return kept;
}

static nxc_entry *find(nxc__memory *memory, const char *key) {
  nxc__known *known = NULL;
  nxc_entry *entry = nxc__memory_find(memory, hash_of(key), slice(key), &known);
  assert_int_equal(entry != NULL, known != NULL);
  return entry;
}

static void an_empty_tier_finds_nothing(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  assert_null(find(memory, "key"));
  assert_null(find(memory, ""));
  nxc__memory_remove(memory, hash_of("key"), slice("key"));
  nxc__memory_clear(memory);
  nxc__memory_use use = nxc__memory_usage(memory);
  assert_int_equal(use.bytes + use.items + use.entry_bytes + use.evictions, 0);
  assert_int_equal(use.limit_bytes, MB);
  nxc__memory_destroy(memory);
  nxc__memory_destroy(NULL);
}

static void what_was_inserted_is_found(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  nxc_entry *entry = entry_of("key", 100);
  nxc__known known = {.token = {NULL, 7}, .epoch = 42};
  assert_true(nxc__memory_insert(memory, hash_of("key"), entry, &known));
  nxc__known *found = NULL;
  assert_ptr_equal(nxc__memory_find(memory, hash_of("key"), slice("key"), &found), entry);
  assert_int_equal(found->token.word, 7);
  assert_int_equal(found->epoch, 42);
  found->epoch = 43;
  assert_ptr_equal(nxc__memory_find(memory, hash_of("key"), slice("key"), &found), entry);
  assert_int_equal(found->epoch, 43);
  assert_null(find(memory, "other"));
  nxc_entry_unref(entry);
  nxc__memory_destroy(memory);
}

static void inserting_again_replaces(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  for (size_t i = 0; i < 100; i++) assert_true(insert(memory, "key", 1000 + i));
  assert_int_equal(nxc__memory_usage(memory).items, 1);
  assert_int_equal(nxc_entry_part(find(memory, "key"), 0).size, 1099);
  assert_int_equal(nxc__memory_usage(memory).evictions, 0);
  nxc__memory_destroy(memory);
}

/* The caller's hash may be wrong or collide: the key decides. */
static void a_colliding_hash_is_not_a_hit(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  nxc_entry *entry = entry_of("key", 10);
  nxc__hash hash = hash_of("another key");
  assert_true(nxc__memory_insert(memory, hash, entry, &unknown));
  assert_null(find(memory, "another key"));
  nxc__memory_remove(memory, hash, slice("another key"));
  assert_int_equal(nxc__memory_usage(memory).items, 1);
  /* One hash has one place: the later key takes it. */
  assert_true(insert(memory, "another key", 10));
  assert_int_equal(nxc__memory_usage(memory).items, 1);
  assert_non_null(find(memory, "another key"));
  nxc_entry_unref(entry);
  nxc__memory_destroy(memory);
}

static void removing_and_clearing_give_the_bytes_back(void **state) {
  (void)state;
  uint64_t before = nxc__record_live_bytes();
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  insert(memory, "a", 100);
  insert(memory, "b", 100);
  insert(memory, "c", 100);
  nxc__memory_remove(memory, hash_of("b"), slice("b"));
  assert_null(find(memory, "b"));
  assert_non_null(find(memory, "a"));
  assert_non_null(find(memory, "c"));
  assert_int_equal(nxc__memory_usage(memory).items, 2);
  nxc__memory_clear(memory);
  nxc__memory_use use = nxc__memory_usage(memory);
  assert_int_equal(use.items + use.bytes + use.entry_bytes, 0);
  assert_int_equal(use.evictions, 0); /* removed, not evicted */
  assert_int_equal(nxc__record_live_bytes(), before);
  assert_true(insert(memory, "a", 100));
  nxc__memory_destroy(memory);
  assert_int_equal(nxc__record_live_bytes(), before);
}

static void an_entry_in_use_outlives_its_eviction(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  insert(memory, "key", 100);
  nxc_entry *entry = nxc_entry_ref(find(memory, "key"));
  nxc__memory_destroy(memory);
  assert_int_equal(nxc_entry_part(entry, 0).size, 100);
  nxc_entry_unref(entry);
}

/* Whichever tier of the process it is: one cache does not know of another's. */
static void pinned_is_what_no_tier_has(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  nxc__memory *another = nxc__memory_create(MB, 0, false);
  uint64_t before = nxc_pinned_bytes();
  nxc_entry *entry = entry_of("key", 1000);
  uint64_t bytes = nxc__record_held_bytes(entry);
  assert_int_equal(nxc_pinned_bytes() - before, bytes);
  nxc__memory_insert(memory, hash_of("key"), entry, &unknown);
  insert(another, "key", 500);
  assert_int_equal(nxc_pinned_bytes(), before);
  insert(memory, "key", 20);
  assert_int_equal(nxc_pinned_bytes() - before, bytes);
  nxc_entry_unref(entry);
  assert_int_equal(nxc_pinned_bytes(), before);
  nxc__memory_destroy(memory);
  nxc__memory_destroy(another);
  assert_int_equal(nxc_pinned_bytes(), before);
}

static void the_order_of_use_is_the_order_of_eviction(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 4, true);
  const char *const keys[] = {"a", "b", "c", "d"};
  for (size_t i = 0; i < 4; i++) insert(memory, keys[i], 10);
  find(memory, "a");
  find(memory, "c");
  find(memory, "a"); /* order now: a c d b */
  insert(memory, "e", 10);
  assert_null(find(memory, "b"));
  insert(memory, "f", 10);
  assert_null(find(memory, "d"));
  insert(memory, "g", 10);
  assert_null(find(memory, "c"));
  assert_non_null(find(memory, "a"));
  assert_int_equal(nxc__memory_usage(memory).evictions, 3);
  nxc__memory_destroy(memory);
}

/* What was asked for twice stays, however many pass by that are asked for once. */
static void a_scan_does_not_flush_the_tier(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 100, false);
  char key[16];
  for (int i = 0; i < 50; i++) {
    (void)snprintf(key, sizeof key, "hot-%d", i);
    insert(memory, key, 10);
    find(memory, key);
  }
  for (int i = 0; i < 1000; i++) {
    (void)snprintf(key, sizeof key, "scan-%d", i);
    insert(memory, key, 10);
  }
  int left = 0;
  for (int i = 0; i < 50; i++) {
    (void)snprintf(key, sizeof key, "hot-%d", i);
    left += find(memory, key) != NULL;
  }
  assert_int_equal(left, 50);
  nxc__memory_destroy(memory);
}

/* What was evicted after one use, and comes again soon, has proven itself. */
static void a_ghost_is_remembered(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 20, false);
  char key[16];
  for (int i = 0; i < 40; i++) {
    (void)snprintf(key, sizeof key, "hot-%d", i);
    insert(memory, key, 10);
    find(memory, key);
  }
  insert(memory, "again", 10);
  for (int i = 0; i < 10; i++) {
    (void)snprintf(key, sizeof key, "first-%d", i);
    insert(memory, key, 10);
  }
  assert_null(find(memory, "again"));
  insert(memory, "again", 10);
  for (int i = 0; i < 100; i++) {
    (void)snprintf(key, sizeof key, "second-%d", i);
    insert(memory, key, 10);
  }
  assert_non_null(find(memory, "again"));
  nxc__memory_destroy(memory);
}

/* A new version of what is in use keeps its place. */
static void replacing_keeps_the_place(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 20, false);
  char key[16];
  insert(memory, "page", 10);
  find(memory, "page");
  insert(memory, "page", 20);
  for (int i = 0; i < 100; i++) {
    (void)snprintf(key, sizeof key, "%d", i);
    insert(memory, key, 10);
  }
  assert_non_null(find(memory, "page"));
  nxc__memory_destroy(memory);
}

/* Never over the budget, after any operation, whatever the sizes. */
static void bytes_never_exceed_the_budget(void **state) {
  (void)state;
  test_random random = test_random_seed(5);
  uint64_t before = nxc__record_live_bytes();
  nxc__memory *memory = nxc__memory_create(256 * 1024, 0, false);
  for (int i = 0; i < 20000; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "%u", (unsigned)test_random_below(&random, 500));
    size_t size = test_random_below(&random, 8) ? test_random_below(&random, 3000)
                                                : test_random_below(&random, 400000);
    (void)insert(memory, key, size);
    nxc__memory_use use = nxc__memory_usage(memory);
    assert_true(use.bytes <= use.limit_bytes);
    assert_true(use.entry_bytes <= use.bytes);
    /* The tier's own account agrees with what all entries of the process hold. */
    assert_int_equal(nxc__record_live_bytes() - before, use.entry_bytes);
  }
  assert_true(nxc__memory_usage(memory).evictions > 1000);
  nxc__memory_destroy(memory);
}

static void what_cannot_fit_evicts_nothing_but_its_old_version(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(100000, 0, false);
  insert(memory, "small", 10);
  insert(memory, "key", 10);
  assert_false(insert(memory, "key", 100000));
  assert_null(find(memory, "key"));
  assert_non_null(find(memory, "small"));
  assert_int_equal(nxc__memory_usage(memory).evictions, 0);
  nxc__memory_destroy(memory);
}

static void resizing_is_obeyed_at_once(void **state) {
  (void)state;
  nxc__memory *memory = nxc__memory_create(MB, 0, false);
  for (int i = 0; i < 100; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "%d", i);
    insert(memory, key, 1000);
  }
  nxc__memory_resize(memory, MB, 10);
  assert_int_equal(nxc__memory_usage(memory).items, 10);
  assert_non_null(find(memory, "99"));
  nxc__memory_resize(memory, 8000, 0);
  assert_true(nxc__memory_usage(memory).bytes <= 8000);
  assert_true(nxc__memory_usage(memory).items > 0);
  nxc__memory_resize(memory, 0, 0);
  assert_int_equal(nxc__memory_usage(memory).items, 0);
  assert_false(insert(memory, "key", 1));
  nxc__memory_destroy(memory);
}

int main(void) {
  unsigned char key[NXC__ID_SIZE] = "test_memory";
  nxc__secret_init(&secret, key);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_tier_finds_nothing),
      cmocka_unit_test(what_was_inserted_is_found),
      cmocka_unit_test(inserting_again_replaces),
      cmocka_unit_test(a_colliding_hash_is_not_a_hit),
      cmocka_unit_test(removing_and_clearing_give_the_bytes_back),
      cmocka_unit_test(an_entry_in_use_outlives_its_eviction),
      cmocka_unit_test(pinned_is_what_no_tier_has),
      cmocka_unit_test(the_order_of_use_is_the_order_of_eviction),
      cmocka_unit_test(a_scan_does_not_flush_the_tier),
      cmocka_unit_test(a_ghost_is_remembered),
      cmocka_unit_test(replacing_keeps_the_place),
      cmocka_unit_test(bytes_never_exceed_the_budget),
      cmocka_unit_test(what_cannot_fit_evicts_nothing_but_its_old_version),
      cmocka_unit_test(resizing_is_obeyed_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
