/* test_keys.c - keys, tags and metas of every shape: they are bytes, nothing else,
 * and never become a name of anything.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "index.h"
#include "world.h"

static int put_bytes(nxc_cache *c, nxc_slice key, nxc_slice part, const nxc_slice *tags, size_t n) {
  nxc_record r = test_record(key, &part);
  r.tags = tags;
  r.tag_count = n;
  return nxc_put(c, &r);
}

static bool holds(nxc_cache *c, nxc_slice key, nxc_slice part) {
  nxc_query q = {.key = key};
  nxc_found found;
  if (nxc_get(c, &q, &found) == NXC_MISS) return false;
  nxc_slice got = nxc_entry_part(found.entry, 0);
  bool same = got.size == part.size && (!part.size || memcmp(got.data, part.data, part.size) == 0);
  nxc_record r;
  nxc_entry_read(found.entry, &r);
  same =
      same && r.key.size == key.size && (!key.size || memcmp(r.key.data, key.data, key.size) == 0);
  nxc_entry_unref(found.entry);
  assert_true(same);
  return true;
}

static int names_below(const char *path) {
  int n = 0;
  DIR *dir = opendir(path);
  assert_non_null(dir);
  for (struct dirent *e; (e = readdir(dir));) {
    if (e->d_name[0] == '.') continue;
    char below[1024];
    (void)snprintf(below, sizeof below, "%s/%s", path, e->d_name);
    n += 1 + (e->d_type == DT_DIR ? names_below(below) : 0);
  }
  closedir(dir);
  return n;
}

static void keys_of_every_shape(void **state) {
  static char huge[1 << 20], zeros[64];
  static const char *const texts[] = {"",
                                      "/",
                                      ".",
                                      "..",
                                      "../../../etc/passwd",
                                      "a/../../b",
                                      "index",
                                      "data-",
                                      "v1/index",
                                      "\n",
                                      "%00",
                                      "%s%n%s",
                                      "CON",
                                      "/\xe4\xb8\xad\xe6\x96\x87",
                                      "\xff\xfe\xfd",
                                      "\xf0\x9f\x98\x80",
                                      "e\xcc\x81",
                                      "\xc3\xa9",
                                      "key",
                                      "Key",
                                      "key ",
                                      "__proto__"};
  char *dir = test_dir_make();
  nxc_options o = test_options(dir);
  o.memory_bytes = 8 * MB;
  (void)state;
  memset(huge, 'k', sizeof huge);
  for (unsigned tier = 0; tier < 2; tier++) {
    nxc_cache *c = test_open_with(&o);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
      assert_int_equal(put_bytes(c, slice(texts[i]), slice(texts[i]), NULL, 0), NXC_OK);
    }
    /* Keys that differ in their length, or behind a NUL, alone. */
    for (size_t n = 1; n < 8; n++) {
      assert_int_equal(put_bytes(c, slice_of(zeros, n), slice_of(huge, n), NULL, 0), NXC_OK);
      assert_int_equal(put_bytes(c, slice_of("a\0b\0c\0d", n), slice_of(huge, n + 10), NULL, 0),
                       NXC_OK);
    }
    /* A segment less 24 bytes is the most that the disk takes: 1 MB is for memory. */
    assert_int_equal(put_bytes(c, slice_of(huge, sizeof huge), slice("1"), NULL, 0),
                     NXC_MEMORY_ONLY);
    assert_int_equal(put_bytes(c, slice_of(huge, sizeof huge - 200), slice("2"), NULL, 0), NXC_OK);
    if (tier == 1) {
      nxc_close(c);
      c = test_open_with(&o);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
      assert_true(holds(c, slice(texts[i]), slice(texts[i])));
    }
    for (size_t n = 1; n < 8; n++) {
      assert_true(holds(c, slice_of(zeros, n), slice_of(huge, n)));
      assert_true(holds(c, slice_of("a\0b\0c\0d", n), slice_of(huge, n + 10)));
    }
    assert_true(holds(c, slice_of(huge, sizeof huge - 200), slice("2")));
    assert_int_equal(holds(c, slice_of(huge, sizeof huge), slice("1")), tier == 0);
    nxc_close(c);
  }
  assert_int_equal(names_below(dir), 4); /* v1, index, data and CACHEDIR.TAG */
  test_dir_remove(dir);
}

static void tags_of_every_shape(void **state) {
  static char huge[256 << 10];
  char *dir = test_dir_make();
  nxc_cache *c = test_open(dir);
  const nxc_slice tags[] = {
      slice(""),  slice_of("\0", 1), slice_of("\0\0", 2),        slice("../x"),
      slice("a"), slice("A"),        slice_of(huge, sizeof huge)};
  (void)state;
  memset(huge, 't', sizeof huge);
  for (size_t i = 0; i < COUNT_OF(tags); i++) {
    char key[2] = {(char)('0' + i), 0};
    assert_int_equal(put_bytes(c, slice(key), slice("x"), &tags[i], 1), NXC_OK);
  }
  for (size_t i = 0; i < COUNT_OF(tags); i++) { /* each hits its own alone */
    assert_int_equal(nxc_mark(c, &tags[i], 1, 0), NXC_OK);
    for (size_t j = 0; j < COUNT_OF(tags); j++) {
      char key[2] = {(char)('0' + j), 0};
      assert_int_equal(test_get(c, key).result, j <= i ? NXC_MISS : NXC_OK);
    }
  }
  nxc_close(c);
  test_dir_remove(dir);
}

static void most_tags_and_parts(void **state) {
  static nxc_slice many[70000];
  nxc_slice part = slice("x");
  char *dir = test_dir_make();
  nxc_cache *c = test_open(dir);
  (void)state;
  for (size_t i = 0; i < COUNT_OF(many); i++) many[i] = slice_of("tagtagtag", i % 9);
  assert_int_equal(put_bytes(c, slice("k"), part, many, 65535), NXC_OK);
  assert_int_equal(test_get(c, "k").result, NXC_OK);
  assert_int_equal(put_bytes(c, slice("k"), part, many, 65536), NXC_E_INVALID);
  nxc_record r = test_record(slice("k"), many);
  r.part_count = 65535;
  assert_int_equal(nxc_put(c, &r), NXC_OK);
  assert_int_equal(test_get(c, "k").result, NXC_OK);
  r.part_count = 65536;
  assert_int_equal(nxc_put(c, &r), NXC_E_INVALID);
  assert_int_equal(nxc_mark(c, many, COUNT_OF(many), 0), NXC_OK);
  nxc_close(c);
  test_dir_remove(dir);
}

static void arguments_that_are_wrong(void **state) {
  char *dir = test_dir_make();
  nxc_cache *c = test_open(dir);
  nxc_slice lie = {NULL, 5}, part = slice("x");
  nxc_query q = {.key = lie};
  nxc_found found;
  nxc_stats stats;
  (void)state;
  assert_int_equal(put_bytes(c, lie, part, NULL, 0), NXC_E_INVALID);
  assert_int_equal(put_bytes(c, slice("k"), lie, NULL, 0), NXC_E_INVALID);
  assert_int_equal(put_bytes(c, slice("k"), part, &lie, 1), NXC_E_INVALID);
  assert_int_equal(put_bytes(c, slice("k"), part, NULL, 1), NXC_E_INVALID);
  assert_int_equal(nxc_put(c, NULL), NXC_E_INVALID);
  assert_int_equal(nxc_put(NULL, NULL), NXC_E_INVALID);
  assert_int_equal(nxc_get(c, &q, &found), NXC_E_INVALID);
  assert_int_equal(nxc_get(c, NULL, &found), NXC_E_INVALID);
  q.key = slice("k");
  q.class_id = NXC_CLASSES;
  assert_int_equal(nxc_get(c, &q, &found), NXC_E_INVALID);
  assert_int_equal(nxc_remove(c, lie), NXC_E_INVALID);
  assert_int_equal(nxc_mark(c, &lie, 1, 0), NXC_E_INVALID);
  assert_int_equal(nxc_mark(c, &part, 1, -1), NXC_E_INVALID);
  assert_int_equal(nxc_judge(c, NULL, NULL, 0, &found), NXC_E_INVALID);
  assert_int_equal(nxc_stats_get(c, NULL), NXC_E_INVALID);
  assert_int_equal(nxc_stats_get(NULL, &stats), NXC_E_INVALID);
  assert_int_equal(nxc_clear(NULL), NXC_E_INVALID);
  assert_null(nxc_stats_json(NULL));
  assert_int_equal(nxc_birth(NULL), 0);
  nxc_close(c);
  test_dir_remove(dir);
}

/* ---- keys that were built to collide ------------------------------------------------ */

#define MOST_UNBOUND 10000 /* keys of a family whose cost has no bound: they take long */
#define SAMPLED 4          /* operations whose instructions are counted */
#define COLLIDING 512      /* buckets of the disk tier's table: such keys share one of them */

typedef struct family {
  const char *name;
  bool bound; /* at most twice the cost of keys that were not built */
  bool (*belongs)(const nxc__secret *secret, uint64_t key);
} family;

static nxc__hash hash_of(const nxc__secret *secret, uint64_t key) {
  return nxc__hash_key(secret, slice_of(&key, sizeof key));
}

static bool any(const nxc__secret *secret, uint64_t key) {
  (void)secret;
  (void)key;
  return true;
}

/* One bucket of the shared table, by who knows its secret. */
static bool same_bucket(const nxc__secret *secret, uint64_t key) {
  return nxc__hash_place(hash_of(secret, key).lo, COLLIDING) == 7;
}

/* The best that a stranger can do: he knows the code, and not the secret. */
static bool same_chain_elsewhere(const nxc__secret *secret, uint64_t key) {
  static const unsigned char zeros[NXC__ID_SIZE];
  static nxc__secret guess;
  static bool made;
  (void)secret;
  if (!made) nxc__secret_init(&guess, zeros);
  made = true;
  return hash_of(&guess, key).lo % COLLIDING == 7;
}

/* Few chains of the memory tier's table, by who knows the secret. */
static bool same_chain(const nxc__secret *secret, uint64_t key) {
  return hash_of(secret, key).lo % COLLIDING == 7;
}

static const family families[] = {
    {"not built", true, any},
    {"one chain in memory, by a stranger", true, same_chain_elsewhere},
    {"one bucket, by who has the secret", true, same_bucket},
    {"one chain in memory, by who has the secret", false, same_chain},
};

static void put_and_get(nxc_cache *c, uint64_t key) {
  (void)put_bytes(c, slice_of(&key, sizeof key), slice_of(&key, sizeof key), NULL, 0);
  (void)holds(c, slice_of(&key, sizeof key), slice_of(&key, sizeof key));
}

typedef struct cost {
  uint64_t instructions; /* of an operation, when all keys are there */
  uint64_t bytes, retries;
} cost;

static uint64_t next_of(const family *f, const nxc__secret *secret, uint64_t *candidate) {
  do *candidate += 0x9e3779b97f4a7c15u;
  while (!f->belongs(secret, *candidate));
  return *candidate;
}

static _Noreturn void use_keys(const family *f, uint64_t n, const char *dir, cost *out) {
  nxc_options o = test_options(dir);
  o.memory_bytes = 4 * MB;
  nxc_cache *c = test_open_with(&o);
  uint64_t candidate = 0, sampled[SAMPLED];
  char v1[256];
  nxc__index *index = NULL;
  (void)snprintf(v1, sizeof v1, "%s/v1", dir);
  int fd = open(v1, O_RDONLY | O_DIRECTORY);
  if (fd < 0 || nxc__index_open(fd, &index) != NXC_OK) _exit(1);
  if (index->geometry.buckets != COLLIDING) _exit(1);
  for (uint64_t i = 0; i < n; i++) put_and_get(c, next_of(f, &index->secret, &candidate));
  for (unsigned i = 0; i < SAMPLED; i++) sampled[i] = next_of(f, &index->secret, &candidate);
  nxc_stats stats = test_stats(c);
  out->bytes = stats.bytes_read + stats.bytes_written;
  out->retries = stats.retries;
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(1);
  raise(SIGSTOP);
  for (unsigned i = 0; i < SAMPLED; i++) put_and_get(c, sampled[i]);
  raise(SIGSTOP);
  _exit(0);
}

/* False: a process may not be traced here. The clock decides nothing: what is compared is
 * how many instructions, bytes and retries it takes. */
static bool cost_of(const family *f, uint64_t n, cost *shared) {
  char *dir = test_dir_make();
  int status = 0;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) use_keys(f, n, dir, shared);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFSTOPPED(status)) {
    do {
      shared->instructions++;
      ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
      assert_int_equal(waitpid(child, &status, 0), child);
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    shared->instructions /= SAMPLED;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
  }
  test_dir_remove(dir);
  return shared->instructions > 0;
}

static void a_million_keys_that_collide(void **state) {
  const char *text = getenv("NXC_TEST_KEYS");
  uint64_t n = text ? strtoull(text, NULL, 10) : getenv("NXC_TEST_LONG") ? 1000000 : 1000;
  cost *costs = mmap(NULL, sizeof *costs * COUNT_OF(families), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  (void)state;
  assert_true(costs != MAP_FAILED);
  for (size_t i = 0; i < COUNT_OF(families); i++) {
    const family *f = &families[i];
    uint64_t used = f->bound || n < MOST_UNBOUND ? n : MOST_UNBOUND;
    if (!cost_of(f, used, &costs[i])) {
      print_message("# skipped: a process may not be traced here\n");
      skip();
    }
    print_message("# %llu keys, %s: %llu instructions for a put and a get, %llu bytes moved, %llu "
                  "retries\n",
                  (unsigned long long)used, f->name, (unsigned long long)costs[i].instructions,
                  (unsigned long long)costs[i].bytes, (unsigned long long)costs[i].retries);
    if (!f->bound) continue;
    assert_true(costs[i].instructions <= 2 * costs[0].instructions);
    assert_true(costs[i].bytes <= 2 * costs[0].bytes);
    assert_true(costs[i].retries <= n / 1000);
  }
  assert_int_equal(munmap(costs, sizeof *costs * COUNT_OF(families)), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_of_every_shape),         cmocka_unit_test(tags_of_every_shape),
      cmocka_unit_test(most_tags_and_parts),         cmocka_unit_test(arguments_that_are_wrong),
      cmocka_unit_test(a_million_keys_that_collide),
  };
  world_in_memory();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
