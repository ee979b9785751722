/* Bounds: random sizes from nothing to more than the largest record, in one process
 * and in eight. NXC_TEST_PUTS sets the number of puts (20 000; the long form says
 * 1 000 000).
 *
 *   disk       data file <= bound + 1 % by st_blocks, the index apart
 *   memory     what the tier says that it holds <= budget, exactly, at any time
 *   resident   growth <= budget + 20 % + RESIDENT_CONSTANT
 */
#include "support.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOUND (32 * MB)
#define BUDGET (8 * MB)
/* Two records of the largest size on their way, the touched pages of the index, and
 * what the allocator keeps between blocks of such different sizes. */
#define RESIDENT_CONSTANT (24 * MB)

static unsigned char *body;

static unsigned puts_wanted(void) {
  const char *text = getenv("NXC_TEST_PUTS");
  return text ? (unsigned)strtoul(text, NULL, 10) : 20000;
}

static uint64_t resident_bytes(void) {
  unsigned long pages = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%lu %lu", &pages, &resident), 2);
  (void)fclose(file);
  return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t data_bytes(const char *dir) {
  char path[1024];
  uint64_t bytes = 0;
  (void)snprintf(path, sizeof path, "%s/v1", dir);
  DIR *d = opendir(path);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    struct stat st;
    if (strncmp(e->d_name, "data-", 5) != 0) continue;
    (void)snprintf(path, sizeof path, "%s/v1/%s", dir, e->d_name);
    if (stat(path, &st) == 0) bytes += (uint64_t)st.st_blocks * 512;
  }
  closedir(d);
  return bytes;
}

/* Mostly small, some large, a few too large for the disk, few for both tiers. */
static size_t random_size(test_random *random) {
  switch (test_random_below(random, 200)) {
  case 0: return 0;
  case 1: return (size_t)(MB - 600 + test_random_below(random, 600)); /* around the largest */
  case 2: return (size_t)(MB + test_random_below(random, MB));
  case 3: return (size_t)(BUDGET + test_random_below(random, MB));
  default: return (size_t)(test_random_next(random) >> (47 + test_random_below(random, 16)));
  }
}

static nxc_cache *open_bounded(const char *dir) {
  nxc_options options = test_options(dir);
  options.disk_bytes = BOUND;
  options.memory_bytes = BUDGET;
  return test_open_with(&options);
}

static void put_random(nxc_cache *cache, const char *dir, unsigned n, uint64_t seed, bool alone) {
  test_random random = test_random_seed(seed);
  unsigned refused = 0;
  for (unsigned i = 0; i < n; i++) {
    char key[32];
    (void)snprintf(key, sizeof key, "%llu", (unsigned long long)test_random_below(&random, 5000));
    size_t size = random_size(&random);
    nxc_slice part = slice_of(body, size);
    nxc_record record = test_record(slice(key), &part);
    int rc = nxc_put(cache, &record);
    if (rc == NXC_E_TOO_LARGE) refused++;
    assert_true(rc == NXC_OK || rc == NXC_MEMORY_ONLY || rc == NXC_SUPERSEDED ||
                rc == NXC_E_TOO_LARGE);
    if (rc == NXC_E_TOO_LARGE) {
      assert_true(size > MB / 2);
      /* The old one is gone; in company another may have put a new one. */
      if (alone) assert_int_equal(test_get(cache, key).result, NXC_MISS);
    }
    if (i % 64) continue;
    nxc_stats stats = test_stats(cache);
    assert_true(stats.memory_bytes <= BUDGET);
    assert_true(data_bytes(dir) <= BOUND + BOUND / 100);
  }
  if (n > 5000) assert_true(refused > 0);
}

static void one_process_stays_in_its_bounds(void **state) {
  (void)state;
  test_clock_set(TEST_EPOCH_MS);
  char *dir = test_dir_make();
  nxc_cache *cache = open_bounded(dir);
  uint64_t before = resident_bytes();
  put_random(cache, dir, puts_wanted(), 1, true);
  uint64_t grown = resident_bytes() - before;
  nxc_stats stats = test_stats(cache);
  print_message(
      "# resident %llu KB for a budget of %llu KB; disk %llu KB of %llu KB; %llu segments\n",
      (unsigned long long)grown / 1024, (unsigned long long)BUDGET / 1024,
      (unsigned long long)stats.disk_bytes / 1024, (unsigned long long)BOUND / 1024,
      (unsigned long long)stats.disk_recycled);
  assert_true(stats.disk_recycled > 0); /* the ring went round */
  assert_true(stats.memory_evictions > 0);
  assert_true(grown <= BUDGET + BUDGET / 5 + RESIDENT_CONSTANT);
  nxc_close(cache);
  test_dir_remove(dir);
}

static int run_child(char **argv) {
  test_clock_set(TEST_EPOCH_MS);
  nxc_cache *cache = open_bounded(argv[2]);
  put_random(cache, argv[2], puts_wanted() / 8, strtoull(argv[3], NULL, 10), false);
  nxc_close(cache);
  return 0;
}

static void eight_processes_stay_in_one_bound(void **state) {
  (void)state;
  char *dir = test_dir_make();
  pid_t children[8];
  for (int i = 0; i < 8; i++) {
    char seed[8];
    (void)snprintf(seed, sizeof seed, "%d", i + 10);
    children[i] = test_spawn((const char *const[]){"--child", dir, seed, NULL});
  }
  for (int i = 0; i < 8; i++) assert_int_equal(test_wait(children[i]), 0);
  assert_true(data_bytes(dir) <= BOUND + BOUND / 100);
  test_dir_remove(dir);
}

/* What is pinned by users is not the tier's, and is said apart. */
static void pinned_entries_are_counted_apart(void **state) {
  (void)state;
  test_clock_set(TEST_EPOCH_MS);
  nxc_options options = test_options(NULL);
  options.memory_bytes = MB;
  nxc_cache *cache = test_open_with(&options);
  nxc_found pinned[8];
  for (int i = 0; i < 8; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "%d", i);
    nxc_slice part = slice_of(body, MB / 2);
    nxc_record record = test_record(slice(key), &part);
    assert_int_equal(nxc_put(cache, &record), NXC_MEMORY_ONLY);
    nxc_query query = {.key = slice(key)};
    assert_int_equal(nxc_get(cache, &query, &pinned[i]), NXC_OK);
  }
  nxc_stats stats = test_stats(cache);
  assert_true(stats.memory_bytes <= MB);
  assert_true(stats.pinned_bytes >= 6 * MB / 2);
  for (int i = 0; i < 8; i++) {
    assert_memory_equal(nxc_entry_part(pinned[i].entry, 0).data, body, MB / 2);
    nxc_entry_unref(pinned[i].entry);
  }
  stats = test_stats(cache);
  assert_true(stats.pinned_bytes < MB / 2);
  nxc_close(cache);
}

int main(int argc, char **argv) {
  body = malloc(BUDGET + 2 * MB);
  assert_non_null(body);
  for (size_t i = 0; i < BUDGET + 2 * MB; i++) body[i] = (unsigned char)(i * 31 >> 3);
  if (argc > 3 && strcmp(argv[1], "--child") == 0) return run_child(argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_process_stays_in_its_bounds),
      cmocka_unit_test(eight_processes_stay_in_one_bound),
      cmocka_unit_test(pinned_entries_are_counted_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
