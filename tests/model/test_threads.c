/* test_threads.c - sixteen threads on one handle, against an oracle in atomics.
 *
 * Every key has one writer, which counts its versions. Before a get begins, the
 * reader notes what had completed by then: nothing older may be answered, and
 * nothing that a mark, a remove or a clearing condemned which had returned by
 * then. Run under the preset `tsan` it also shows that nothing races.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  WRITERS = 6,
  READERS = 6,
  MARKERS = 2,
  KEYS_EACH = 6,
  KEYS = WRITERS * KEYS_EACH,
  ROUNDS = 1500
};

typedef struct content { /* what a value says of itself, before its body */
  uint32_t key;
  uint32_t version;
} content;

typedef struct oracle {
  atomic_uint begun[KEYS];     /* version whose put has been called */
  atomic_uint completed[KEYS]; /* newest version whose put has returned */
  atomic_uint condemned[KEYS]; /* versions up to it must not be served any more */
  atomic_uint wrong;           /* answers that broke a promise */
  atomic_uint hits, misses;
  atomic_uint writing; /* writers that have not ended */
} oracle;

static oracle truth;
static nxc_cache *cache;

static void raise_to(atomic_uint *word, unsigned value) {
  unsigned seen = atomic_load(word);
  while (seen < value && !atomic_compare_exchange_weak(word, &seen, value)) continue;
}

static void name_of(unsigned key, char text[16]) {
  (void)snprintf(text, 16, "key %u", key);
}

static void put_version(unsigned key, unsigned version, size_t size) {
  unsigned char body[16384];
  char name[16];
  content head = {key, version};
  name_of(key, name);
  memset(body, (int)((key * 17 + version) & 0xff), size);
  nxc_slice parts[] = {slice_of(&head, sizeof head), slice_of(body, size)}, tag = slice(name);
  nxc_record record = test_record(slice(name), parts);
  record.part_count = 2;
  record.tags = &tag;
  record.tag_count = 1;
  atomic_store(&truth.begun[key], version);
  int result = nxc_put(cache, &record);
  if (result == NXC_OK) raise_to(&truth.completed[key], version);
  /* Born dead by a mark, or superseded by a remove of ours: nothing to expect. */
  else if (result != NXC_BORN_DEAD && result != NXC_SUPERSEDED)
    atomic_fetch_add(&truth.wrong, 1);
}

static void *write_keys(void *arg) {
  unsigned writer = (unsigned)(uintptr_t)arg;
  test_random random = {writer + 1};
  unsigned version[KEYS_EACH] = {0};
  for (unsigned round = 0; round < ROUNDS; round++) {
    unsigned i = (unsigned)test_random_below(&random, KEYS_EACH), key = writer * KEYS_EACH + i;
    if (test_random_below(&random, 20) == 0) {
      char name[16];
      name_of(key, name);
      if (nxc_remove(cache, slice(name)) < 0) atomic_fetch_add(&truth.wrong, 1);
      raise_to(&truth.condemned[key], version[i]);
    } else {
      put_version(key, ++version[i], test_random_below(&random, 16384));
    }
  }
  atomic_fetch_sub(&truth.writing, 1);
  return NULL;
}

static bool is_intact(const nxc_entry *entry, unsigned key, content *head) {
  nxc_slice part = nxc_entry_part(entry, 0), body = nxc_entry_part(entry, 1);
  if (part.size != sizeof *head) return false;
  memcpy(head, part.data, sizeof *head);
  const unsigned char *bytes = body.data;
  for (size_t i = 0; i < body.size; i++) {
    if (bytes[i] != ((key * 17 + head->version) & 0xff)) return false;
  }
  return head->key == key;
}

static void read_one(unsigned key) {
  char name[16];
  name_of(key, name);
  nxc_query query = {.key = slice(name)};
  nxc_found found;
  unsigned oldest = atomic_load(&truth.completed[key]);
  unsigned condemned = atomic_load(&truth.condemned[key]);
  int result = nxc_get(cache, &query, &found);
  unsigned newest = atomic_load(&truth.begun[key]);
  if (result == NXC_MISS) {
    atomic_fetch_add(&truth.misses, 1);
    return;
  }
  content head;
  bool right = result == NXC_OK && is_intact(found.entry, key, &head) && head.version >= oldest &&
               head.version <= newest && head.version > condemned;
  atomic_fetch_add(right ? &truth.hits : &truth.wrong, 1);
  nxc_entry_unref(found.entry);
}

static void *read_keys(void *arg) {
  test_random random = {(uintptr_t)arg + 100};
  while (atomic_load(&truth.writing)) read_one((unsigned)test_random_below(&random, KEYS));
  return NULL;
}

static void *mark_keys(void *arg) {
  test_random random = {(uintptr_t)arg + 200};
  while (atomic_load(&truth.writing)) {
    unsigned key = (unsigned)test_random_below(&random, KEYS);
    char name[16];
    name_of(key, name);
    unsigned before = atomic_load(&truth.completed[key]);
    if (test_mark(cache, name, 0) != NXC_OK) atomic_fetch_add(&truth.wrong, 1);
    raise_to(&truth.condemned[key], before);
    (void)usleep(200);
  }
  return NULL;
}

static void *clear_all(void *arg) {
  (void)arg;
  while (atomic_load(&truth.writing)) {
    unsigned before[KEYS];
    for (unsigned key = 0; key < KEYS; key++) before[key] = atomic_load(&truth.completed[key]);
    if (nxc_clear(cache) != NXC_OK) atomic_fetch_add(&truth.wrong, 1);
    for (unsigned key = 0; key < KEYS; key++) raise_to(&truth.condemned[key], before[key]);
    (void)usleep(20000);
  }
  return NULL;
}

static void *resize_and_count(void *arg) {
  test_random random = {(uintptr_t)arg + 300};
  while (atomic_load(&truth.writing)) {
    nxc_stats stats;
    uint64_t bytes = test_random_below(&random, 3) ? test_random_below(&random, 2 * MB) : 0;
    (void)nxc_set_memory(cache, bytes, test_random_below(&random, 40));
    if (nxc_stats_get(cache, &stats) != NXC_OK) atomic_fetch_add(&truth.wrong, 1);
    (void)usleep(500);
  }
  return NULL;
}

static void run(bool disk, bool clearing) {
  pthread_t threads[WRITERS + READERS + MARKERS + 2];
  size_t count = 0;
  char *dir = disk ? test_dir_make() : NULL;
  nxc_options options = test_options(dir);
  options.memory_bytes = 4 * MB;
  if (disk) options.disk_bytes = 64 * MB;
  cache = test_open_with(&options);
  memset(&truth, 0, sizeof truth);
  atomic_store(&truth.writing, WRITERS);
#define START(function, number)                                                                    \
  assert_int_equal(pthread_create(&threads[count++], NULL, function, (void *)(uintptr_t)(number)), \
                   0)
  for (size_t i = 0; i < WRITERS; i++) START(write_keys, i);
  for (size_t i = 0; i < READERS; i++) START(read_keys, i);
  for (size_t i = 0; i < MARKERS; i++) START(mark_keys, i);
  START(resize_and_count, 0);
  if (clearing) START(clear_all, 0);
  for (size_t i = 0; i < count; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(atomic_load(&truth.wrong), 0);
  assert_true(atomic_load(&truth.hits) > 100);
  assert_true(atomic_load(&truth.misses) > 0);
  nxc_stats stats = test_stats(cache);
  assert_int_equal(stats.corrupt, 0);
  assert_int_equal(stats.disk_errors, 0);
  nxc_close(cache);
  test_dir_remove(dir);
}

static void threads_on_disk(void **state) {
  (void)state;
  run(true, false);
}

static void threads_on_disk_that_is_cleared(void **state) {
  (void)state;
  run(true, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_on_disk),
      cmocka_unit_test(threads_on_disk_that_is_cleared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
