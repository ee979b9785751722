/* Power cuts: what the disk would hold without the pages that nobody flushed.
 *
 * msync() is wrapped: it notes the bytes that it makes durable. A cut is a copy of
 * the directory in which the index holds those bytes; every other page of the
 * index, and every page of the data, is taken as it was at the start, as it is
 * now, or as either by chance. The copy is opened under another boot id.
 *
 * Promised: an invalidation that returned is never lost, what is served is intact,
 * and no position or epoch is given out twice. Not promised: entries.
 */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index.h"

#define KEYS 64
#define PAGE 4096

/* ---- what is durable ---------------------------------------------------------------- */

int __real_msync(void *address, size_t size, int flags);
int __wrap_msync(void *address, size_t size, int flags);

static unsigned char *durable; /* a copy of what was flushed, from the file's start */
static size_t durable_size;
static unsigned flushes;
static bool flush_fails; /* the disk is gone before the flush: a cut inside of a mark */

int __wrap_msync(void *address, size_t size, int flags) {
  if (flush_fails) return __real_msync(address, size, flags);
  if (durable_size < size) {
    unsigned char *grown = realloc(durable, size);
    assert_non_null(grown);
    durable = grown;
    durable_size = size;
  }
  memcpy(durable, address, size);
  flushes++;
  return __real_msync(address, size, flags);
}

/* ---- the cut ---------------------------------------------------------------------------- */

typedef enum survival { AS_NOW, AS_AT_START, BY_CHANCE } survival;

static void *read_whole(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  assert_true(fd >= 0 && fstat(fd, &st) == 0);
  unsigned char *bytes = malloc((size_t)st.st_size + 1);
  assert_non_null(bytes);
  assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
  close(fd);
  *size = (size_t)st.st_size;
  return bytes;
}

static void write_whole(const char *path, const void *bytes, size_t size) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, bytes, size, 0), size);
  close(fd);
}

/* Loses pages from `from` on, each by itself. A page of a preallocated file that was
 * never written reads as zeros. */
static void lose_pages(unsigned char *bytes, size_t size, size_t from, survival how,
                       test_random *random) {
  for (size_t at = from; at < size; at += PAGE) {
    bool lost = how == AS_AT_START || (how == BY_CHANCE && test_random_below(random, 2));
    if (lost) memset(bytes + at, 0, size - at < PAGE ? size - at : PAGE);
  }
}

/* Copies v1/ of one directory as a cut would leave it. */
static void cut_power(const char *from, const char *to, survival index_survival,
                      survival data_survival, test_random *random) {
  char path[1024], copy[1024];
  (void)snprintf(copy, sizeof copy, "%s/v1", to);
  assert_int_equal(mkdir(copy, 0700), 0);
  (void)snprintf(path, sizeof path, "%s/v1", from);
  DIR *dir = opendir(path);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    size_t size;
    (void)snprintf(path, sizeof path, "%s/v1/%s", from, entry->d_name);
    (void)snprintf(copy, sizeof copy, "%s/v1/%s", to, entry->d_name);
    unsigned char *bytes = read_whole(path, &size);
    if (strcmp(entry->d_name, "index") == 0) {
      lose_pages(bytes, size, durable_size, index_survival, random);
      memcpy(bytes, durable, durable_size);
      bytes[offsetof(nxc__header, boot)] ^= 0x55;
    } else {
      lose_pages(bytes, size, 0, data_survival, random);
    }
    write_whole(copy, bytes, size);
    free(bytes);
  }
  closedir(dir);
}

/* ---- the model ----------------------------------------------------------------------------- */

typedef struct model {
  unsigned versions[KEYS]; /* put so far */
  unsigned marks[KEYS];    /* of the key's tag, returned */
} model;

static void name_of(unsigned key, char name[16]) {
  (void)snprintf(name, 16, "key%u", key);
}

/* The value says under how many marks it was made. */
static void put_version(nxc_cache *cache, model *m, unsigned key) {
  char name[16], value[64];
  name_of(key, name);
  (void)snprintf(value, sizeof value, "%u %u %u", key, ++m->versions[key], m->marks[key]);
  assert_int_equal(test_put(cache, name, value, (const char *const[]){name, NULL}), NXC_OK);
}

static unsigned check_survivors(nxc_cache *cache, const model *m) {
  unsigned hits = 0;
  for (unsigned key = 0; key < KEYS; key++) {
    char name[16];
    name_of(key, name);
    test_answer answer = test_get(cache, name);
    if (answer.result == NXC_MISS) continue;
    unsigned said, version, marks;
    assert_int_equal(sscanf(answer.value, "%u %u %u", &said, &version, &marks), 3);
    assert_int_equal(said, key);
    assert_true(version <= m->versions[key]);
    assert_int_equal(marks, m->marks[key]); /* nothing older than a mark that returned */
    hits++;
  }
  return hits;
}

typedef struct rig {
  char *dir;
  nxc_cache *cache;
  model model;
  test_random random;
} rig;

static int set_up(void **state) {
  rig *r = calloc(1, sizeof *r);
  assert_non_null(r);
  test_clock_set(TEST_EPOCH_MS);
  r->dir = test_dir_make();
  durable_size = 0;
  flush_fails = false;
  r->cache = test_open(r->dir);
  r->random = test_random_seed(42);
  test_mark(r->cache, "unrelated", 0); /* the first flush */
  *state = r;
  return 0;
}

static int tear_down(void **state) {
  rig *r = *state;
  nxc_close(r->cache);
  test_dir_remove(r->dir);
  free(r);
  return 0;
}

static void live(rig *r, int operations) {
  for (int i = 0; i < operations; i++) {
    unsigned key = (unsigned)test_random_below(&r->random, KEYS);
    char name[16];
    name_of(key, name);
    if (test_random_below(&r->random, 4)) {
      put_version(r->cache, &r->model, key);
    } else {
      assert_int_equal(test_mark(r->cache, name, 0), NXC_OK);
      r->model.marks[key]++;
    }
  }
}

static unsigned survivors(rig *r, survival index_survival, survival data_survival) {
  char *dir = test_dir_make();
  cut_power(r->dir, dir, index_survival, data_survival, &r->random);
  nxc_cache *after = test_open(dir);
  unsigned hits = check_survivors(after, &r->model);
  /* And life goes on: what is put now is found, under births that count. */
  model m = r->model;
  for (unsigned key = 0; key < KEYS; key++) put_version(after, &m, key);
  assert_int_equal(check_survivors(after, &m), KEYS);
  test_mark(after, "key7", 0);
  m.marks[7]++;
  assert_int_equal(check_survivors(after, &m), KEYS - 1);
  nxc_close(after);
  test_dir_remove(dir);
  return hits;
}

/* ---- the tests ------------------------------------------------------------------------------ */

static void an_orderly_stop_keeps_entries(void **state) {
  rig *r = *state;
  live(r, 300);
  assert_true(survivors(r, AS_NOW, AS_NOW) > KEYS / 4);
}

static void no_mark_is_lost(void **state) {
  rig *r = *state;
  unsigned hits = 0;
  for (int i = 0; i < 40; i++) {
    live(r, 25);
    hits += survivors(r, BY_CHANCE, BY_CHANCE);
    hits += survivors(r, AS_NOW, BY_CHANCE);
    hits += survivors(r, BY_CHANCE, AS_NOW);
    (void)survivors(r, AS_AT_START, AS_NOW);
    (void)survivors(r, AS_NOW, AS_AT_START);
  }
  assert_true(hits > 100); /* the test can see */
  assert_true(flushes > 100);
}

static void a_stale_mark_and_its_deadline_survive(void **state) {
  rig *r = *state;
  put_version(r->cache, &r->model, 1);
  assert_int_equal(test_mark(r->cache, "key1", 60000), NXC_OK);
  char *dir = test_dir_make();
  cut_power(r->dir, dir, AS_NOW, AS_NOW, &r->random);
  nxc_cache *after = test_open(dir);
  assert_int_equal(test_get(after, "key1").result, NXC_STALE);
  test_clock_advance(60000);
  assert_int_equal(test_get(after, "key1").result, NXC_MISS);
  nxc_close(after);
  test_dir_remove(dir);
}

/* Work that began before the cut and is put after it, under a mark from between. */
static void the_epoch_never_goes_back(void **state) {
  rig *r = *state;
  uint64_t before = nxc_birth(r->cache);
  flush_fails = true; /* marks that never reach the disk move the epoch all the same */
  for (int i = 0; i < 50; i++) test_mark(r->cache, "key2", 0);
  uint64_t late = nxc_birth(r->cache);
  assert_true(late > before);
  char *dir = test_dir_make();
  cut_power(r->dir, dir, AS_NOW, AS_NOW, &r->random);
  nxc_cache *after = test_open(dir);
  assert_true(nxc_birth(after) > late);
  nxc_close(after);
  test_dir_remove(dir);
}

/* In a table that is full a row goes for each of them; one flush makes the floor durable
 * that covers them all, and one the marks. */
static void the_flushes_of_a_mark_are_few(void **state) {
  rig *r = *state;
  static char names[4096][16];
  static nxc_slice tags[4096];
  nxc_options options = test_options(r->dir);
  options.tag_rows = 64;
  nxc_close(r->cache);
  test_remove_tree(r->dir);
  r->cache = test_open_with(&options);
  for (size_t i = 0; i < COUNT_OF(tags); i++) {
    (void)snprintf(names[i], sizeof names[i], "tag%zu", i);
    tags[i] = slice(names[i]);
  }
  for (int times = 0; times < 3; times++) {
    unsigned before = flushes;
    assert_int_equal(nxc_mark(r->cache, tags, COUNT_OF(tags), 0), NXC_OK);
    assert_true(flushes - before <= 4);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(an_orderly_stop_keeps_entries, set_up, tear_down),
      cmocka_unit_test_setup_teardown(no_mark_is_lost, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_stale_mark_and_its_deadline_survive, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_epoch_never_goes_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_flushes_of_a_mark_are_few, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
