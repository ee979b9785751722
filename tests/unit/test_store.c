/* test_store.c - what stands in a directory: found, made, recognised, replaced. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sibling.h"
#include "store.h"

#define NOW TEST_EPOCH_MS

static int64_t now_ms(void *unused) {
  (void)unused;
  return NOW;
}

static nxc__store *open_with(const char *dir, uint64_t disk_bytes, const nxc__store *died) {
  nxc__place place = {dir, disk_bytes, 64, {now_ms, NULL}};
  nxc__trouble trouble;
  nxc__store *store = NULL;
  assert_int_equal(nxc__store_open(&place, died, &store, &trouble), NXC_OK);
  assert_false(trouble.fatal);
  assert_string_equal(trouble.text, "");
  assert_true(store->disk);
  return store;
}

static nxc__store *open_store(const char *dir) {
  return open_with(dir, 8 * MB, NULL);
}

/* Opens what cannot be opened; the text is told to people, so it names the place. */
static void assert_unusable(const char *dir, const char *reason) {
  nxc__place place = {dir, 8 * MB, 64, {now_ms, NULL}};
  nxc__trouble trouble;
  nxc__store *store = NULL;
  assert_int_equal(nxc__store_open(&place, NULL, &store, &trouble), NXC_MEMORY_ONLY);
  assert_null(store);
  assert_true(trouble.fatal);
  if (dir[0]) assert_non_null(strstr(trouble.text, dir));
  assert_non_null(strstr(trouble.text, reason));
}

static char *below(const char *dir, const char *name) {
  static char path[512];
  (void)snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static uint64_t word(const nxc__word *w) {
  return atomic_load(w);
}

/* ---- opening ----------------------------------------------------------------------- */

static void a_missing_directory_is_made_with_its_parents(void **state) {
  (void)state;
  char *dir = test_dir_make();
  char path[512];
  (void)snprintf(path, sizeof path, "%s/a/b//c/", dir);
  nxc__store *store = open_store(path);
  assert_true(nxc__store_is_current(store, path));
  nxc__store_unref(store);
  test_dir_remove(dir);
}

static void the_second_one_opens_what_the_first_made(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *first = open_store(dir), *second = open_store(dir);
  assert_int_equal(first->index->ino, second->index->ino);
  assert_true(nxc__store_is_current(first, dir) && nxc__store_is_current(second, dir));
  assert_false(nxc__store_is_dead(first));
  nxc__store_unref(first);
  nxc__store_unref(second);
  nxc__store_unref(NULL);
  test_dir_remove(dir);
}

static void the_last_reference_closes(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *store = open_store(dir);
  assert_ptr_equal(nxc__store_ref(store), store);
  nxc__store_unref(store);
  assert_true(nxc__store_is_current(store, dir));
  nxc__store_unref(store);
  test_dir_remove(dir);
}

static void a_directory_that_others_may_read_is_closed_to_them(void **state) {
  (void)state;
  char *dir = test_dir_make();
  struct stat status;
  assert_int_equal(mkdir(below(dir, "v1"), 0755), 0);
  assert_int_equal(chmod(below(dir, "v1"), 0755), 0);
  nxc__store_unref(open_store(dir));
  assert_int_equal(stat(below(dir, "v1"), &status), 0);
  assert_int_equal(status.st_mode & 0777, 0700);
  test_dir_remove(dir);
}

static void what_is_not_ours_is_left_alone(void **state) {
  (void)state;
  char *dir = test_dir_make();
  assert_int_equal(mkdir(below(dir, "elsewhere"), 0700), 0);
  assert_int_equal(symlink("elsewhere", below(dir, "v1")), 0);
  assert_unusable(dir, "memory only");
  assert_int_equal(unlink(below(dir, "v1")), 0);
  close(open(below(dir, "v1"), O_CREAT | O_WRONLY, 0600));
  assert_unusable(dir, "memory only");
  assert_int_equal(unlink(below(dir, "v1")), 0);
  if (geteuid() == 0) {
    assert_int_equal(mkdir(below(dir, "v1"), 0700), 0);
    assert_int_equal(chown(below(dir, "v1"), 12345, 0), 0);
    assert_unusable(dir, "belongs to uid 12345");
  }
  assert_int_equal(rmdir(below(dir, "elsewhere")), 0); /* nothing was put there */
  test_dir_remove(dir);
}

static void a_place_that_cannot_be_is_told(void **state) {
  (void)state;
  char *dir = test_dir_make();
  close(open(below(dir, "file"), O_CREAT | O_WRONLY, 0600));
  assert_unusable(below(dir, "file"), "Not a directory");
  assert_unusable(below(dir, "file/below"), "Not a directory");
  char name[5000];
  memset(name, 'x', sizeof name);
  name[0] = '/';
  name[sizeof name - 1] = '\0';
  nxc__place place = {name, 8 * MB, 64, {now_ms, NULL}};
  nxc__trouble trouble;
  nxc__store *store = NULL;
  assert_int_equal(nxc__store_open(&place, NULL, &store, &trouble), NXC_MEMORY_ONLY);
  assert_non_null(strstr(trouble.text, "name too long"));
  test_dir_remove(dir);
}

/* It may be just being removed, which is no reason to give up the disk. */
static void a_directory_that_was_removed_has_no_elder(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__sibling elder;
  int parent = open(dir, O_RDONLY | O_DIRECTORY);
  assert_true(parent >= 0);
  assert_int_equal(rmdir(dir), 0);
  assert_int_equal(nxc__elder_open(parent, &elder), NXC_MISS);
  close(parent);
  free(dir);
}

static void a_directory_in_the_index_s_place_goes_only_when_it_is_empty(void **state) {
  (void)state;
  char *dir = test_dir_make();
  assert_int_equal(mkdir(below(dir, "v1"), 0700), 0);
  assert_int_equal(mkdir(below(dir, "v1/index"), 0700), 0);
  assert_int_equal(mkdir(below(dir, "v1/index/precious"), 0700), 0);
  assert_unusable(dir, "not empty");
  assert_int_equal(rmdir(below(dir, "v1/index/precious")), 0);
  nxc__store_unref(open_store(dir));
  test_dir_remove(dir);
}

/* ---- death and replacement ------------------------------------------------------------ */

static void a_first_store_believes_what_is_older_than_itself(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *store = open_store(dir);
  /* Build output from before the first start is good. */
  assert_int_equal(word(&store->index->header->floor_wall_ms), 0);
  assert_int_equal(word(&store->index->header->origin_wall_ms), 0);
  nxc__store_unref(store);
  test_dir_remove(dir);
}

static void after_a_clear_nothing_from_before_is_believed(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *old = open_store(dir);
  uint64_t epoch = nxc__epoch_load(old->index);
  nxc__store_clear(old, dir);
  assert_true(nxc__store_is_dead(old));
  nxc__store *new = open_with(dir, 8 * MB, old);
  assert_true(nxc__store_is_current(new, dir));
  assert_false(nxc__store_is_current(old, dir));
  assert_true(nxc__epoch_load(new->index) > epoch);
  assert_true(word(&new->index->header->origin) > epoch);
  assert_true(word(&new->index->header->floor) > epoch);
  assert_int_equal(word(&new->index->header->origin_wall_ms), NOW);
  assert_int_equal(word(&new->index->header->floor_wall_ms), NOW);
  nxc__store_unref(old);
  nxc__store_unref(new);
  test_dir_remove(dir);
}

/* Another process, which saw nothing die, made the new store: who did see it must
 * tell it, or births of the old one would count there. */
static void who_saw_it_die_tells_a_store_that_another_made(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *old = open_store(dir);
  /* The dead one was ahead by many marks. */
  atomic_fetch_add(&old->index->header->epoch, 5 * NXC__BOOT_JUMP);
  uint64_t epoch = nxc__epoch_load(old->index);
  test_remove_tree(below(dir, "v1"));
  nxc__store *newcomer = open_store(dir);
  assert_int_equal(word(&newcomer->index->header->origin_wall_ms), 0);
  nxc__store *told = open_with(dir, 8 * MB, old);
  assert_int_equal(told->index->ino, newcomer->index->ino);
  assert_true(word(&newcomer->index->header->origin) > epoch);
  assert_true(word(&newcomer->index->header->floor) > epoch);
  assert_true(nxc__epoch_load(newcomer->index) >= word(&newcomer->index->header->origin));
  assert_int_equal(word(&newcomer->index->header->origin_wall_ms), NOW);
  nxc__store_unref(old);
  nxc__store_unref(newcomer);
  nxc__store_unref(told);
  test_dir_remove(dir);
}

/* Or nothing that is put would ever be believed again: born before its time. */
static void counts_that_only_damage_reaches_are_not_carried_on(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *old = open_store(dir);
  atomic_store(&old->index->header->epoch, UINT64_C(0x3baddeed12345678));
  nxc__store *new = open_with(dir, 8 * MB, old);
  assert_true(new->index->ino != old->index->ino);
  assert_true(nxc__epoch_load(new->index) <= NXC__EPOCH_MAX);
  atomic_store(&new->index->header->floor, UINT64_MAX / 5);
  nxc__store *newer = open_with(dir, 8 * MB, NULL);
  assert_true(newer->index->ino != new->index->ino);
  assert_true(word(&newer->index->header->floor) <= NXC__EPOCH_MAX);
  nxc__store_unref(old);
  nxc__store_unref(new);
  nxc__store_unref(newer);
  test_dir_remove(dir);
}

static void an_index_without_its_data_is_replaced(void **state) {
  (void)state;
  char *dir = test_dir_make(), name[48], path[64];
  nxc__store *old = open_store(dir);
  uint64_t epoch = nxc__epoch_load(old->index);
  nxc__index_data_name(old->index->instance, name);
  (void)snprintf(path, sizeof path, "v1/%s", name);
  assert_int_equal(unlink(below(dir, path)), 0);
  nxc__store *new = open_store(dir);
  assert_true(nxc__store_is_dead(old));
  assert_false(nxc__store_is_current(old, dir));
  assert_true(word(&new->index->header->origin) > epoch);
  nxc__store_unref(old);
  nxc__store_unref(new);
  test_dir_remove(dir);
}

static void a_killed_store_is_dead_for_all_who_map_it(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *first = open_store(dir), *second = open_store(dir);
  nxc__store_kill(first);
  assert_true(nxc__store_is_dead(second));
  /* Its files still stand: the next one to open removes and replaces them. */
  nxc__store *third = open_store(dir);
  assert_int_not_equal(third->index->ino, first->index->ino);
  assert_false(nxc__store_is_dead(third));
  nxc__store_unref(first);
  nxc__store_unref(second);
  nxc__store_unref(third);
  test_dir_remove(dir);
}

/* Whoever finds what a clear left, and knows nothing of it, believes nothing either. */
static void a_newcomer_after_half_a_clear_believes_nothing_older(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *old = open_store(dir);
  nxc__store_clear(old, dir);
  nxc__store *new = open_store(dir);
  assert_int_equal(word(&new->index->header->origin_wall_ms), NOW);
  nxc__store_unref(old);
  nxc__store_unref(new);
  test_dir_remove(dir);
}

/* ---- the bound -------------------------------------------------------------------------- */

static void another_bound_is_taken_by_the_last_one_alone(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *first = open_store(dir);
  nxc__place place = {dir, 16 * MB, 64, {now_ms, NULL}};
  nxc__trouble trouble;
  nxc__store *second = NULL;
  assert_int_equal(nxc__store_open(&place, NULL, &second, &trouble), NXC_OK);
  assert_int_equal(second->index->geometry.bound_bytes, 8 * MB);
  assert_false(trouble.fatal);
  assert_non_null(strstr(trouble.text, "8388608"));
  assert_non_null(strstr(trouble.text, "16777216"));
  nxc__store_unref(first);
  nxc__store_unref(second);
  second = open_with(dir, 16 * MB, NULL);
  assert_int_equal(second->index->geometry.bound_bytes, 16 * MB);
  nxc__store_unref(second);
  second = open_with(dir, NXC_ADOPT, NULL);
  assert_int_equal(second->index->geometry.bound_bytes, 16 * MB);
  nxc__store_unref(second);
  test_dir_remove(dir);
}

static void who_adopts_a_bound_makes_it_anew_with_that(void **state) {
  (void)state;
  char *dir = test_dir_make();
  nxc__store *first = open_store(dir);
  test_remove_tree(dir);
  nxc__store *second = open_with(dir, NXC_ADOPT, first);
  assert_int_equal(second->index->geometry.bound_bytes, 8 * MB);
  nxc__store_unref(first);
  nxc__store_unref(second);
  test_dir_remove(dir);
}

static void a_store_in_memory_needs_no_directory(void **state) {
  (void)state;
  nxc__store *store = NULL;
  assert_int_equal(nxc__store_anonymous(64, NOW, NOW - 5, &store), NXC_OK);
  assert_false(store->disk);
  assert_false(nxc__store_is_dead(store));
  assert_int_equal(word(&store->index->header->origin_wall_ms), NOW - 5);
  nxc__store_unref(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_missing_directory_is_made_with_its_parents),
      cmocka_unit_test(the_second_one_opens_what_the_first_made),
      cmocka_unit_test(the_last_reference_closes),
      cmocka_unit_test(a_directory_that_others_may_read_is_closed_to_them),
      cmocka_unit_test(what_is_not_ours_is_left_alone),
      cmocka_unit_test(a_place_that_cannot_be_is_told),
      cmocka_unit_test(a_directory_that_was_removed_has_no_elder),
      cmocka_unit_test(a_directory_in_the_index_s_place_goes_only_when_it_is_empty),
      cmocka_unit_test(a_first_store_believes_what_is_older_than_itself),
      cmocka_unit_test(after_a_clear_nothing_from_before_is_believed),
      cmocka_unit_test(a_newcomer_after_half_a_clear_believes_nothing_older),
      cmocka_unit_test(who_saw_it_die_tells_a_store_that_another_made),
      cmocka_unit_test(counts_that_only_damage_reaches_are_not_carried_on),
      cmocka_unit_test(an_index_without_its_data_is_replaced),
      cmocka_unit_test(a_killed_store_is_dead_for_all_who_map_it),
      cmocka_unit_test(another_bound_is_taken_by_the_last_one_alone),
      cmocka_unit_test(who_adopts_a_bound_makes_it_anew_with_that),
      cmocka_unit_test(a_store_in_memory_needs_no_directory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
