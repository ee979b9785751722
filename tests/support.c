/* support.c - see support.h. Nothing here knows the insides of the library.
 */
#include "support.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the clock ----------------------------------------------------------------- */

/* A shared page, so that children, forked or executed, see it move. They find
 * it by the descriptor that they inherit. */
static _Atomic int64_t *clock_word(void) {
  static _Atomic int64_t *word;
  if (word != NULL) return word;
  const char *inherited = getenv("NXC_TEST_CLOCK_FD");
  int fd = inherited ? atoi(inherited) : memfd_create("clock", 0);
  assert(fd >= 0);
  if (inherited == NULL) assert(ftruncate(fd, sizeof *word) == 0);
  word = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert(word != MAP_FAILED);
  if (inherited == NULL) {
    char text[16];
    (void)snprintf(text, sizeof text, "%d", fd);
    assert(setenv("NXC_TEST_CLOCK_FD", text, 1) == 0);
    atomic_store(word, TEST_EPOCH_MS);
  }
  return word;
}

void test_clock_set(int64_t now_ms) {
  atomic_store(clock_word(), now_ms);
}

void test_clock_advance(int64_t by_ms) {
  atomic_fetch_add(clock_word(), by_ms);
}

int64_t test_clock_now(void *unused) {
  (void)unused;
  return atomic_load(clock_word());
}

/* ---- the directory ---------------------------------------------------------------- */

char *test_dir_make(void) {
  const char *parent = getenv("TMPDIR");
  char *path = NULL;
  int length = asprintf(&path, "%s/nextcache-test-XXXXXX", parent ? parent : "/tmp");
  assert(length > 0);
  assert(mkdtemp(path) != NULL);
  return path;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status;
  (void)type;
  (void)walk;
  /* Somebody else may be removing or making files here: that is no failure. */
  (void)remove(path);
  return 0;
}

void test_remove_tree(const char *path) {
  (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void test_dir_remove(char *dir) {
  if (dir == NULL) return;
  test_remove_tree(dir);
  free(dir);
}

static uint64_t walked_bytes;

static int add_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)path;
  (void)type;
  (void)walk;
  walked_bytes += (uint64_t)status->st_blocks * 512;
  return 0;
}

uint64_t test_dir_bytes(const char *path) {
  walked_bytes = 0;
  (void)nftw(path, add_one, 16, FTW_PHYS);
  return walked_bytes;
}

/* ---- opening ------------------------------------------------------------------------ */

int test_error_count;
char test_error_last[512];

static void note_error(void *arg, const char *message) {
  (void)arg;
  test_error_count++;
  (void)snprintf(test_error_last, sizeof test_error_last, "%s", message);
}

nxc_options test_options(const char *dir) {
  nxc_options options;
  nxc_options_init(&options);
  options.dir = dir;
  options.memory_bytes = 1 * MB;
  options.disk_bytes = dir ? 8 * MB : 0;
  options.now_ms = test_clock_now;
  options.on_error = note_error;
  test_error_count = 0;
  test_error_last[0] = '\0';
  return options;
}

nxc_cache *test_open_with(const nxc_options *options) {
  nxc_cache *cache = NULL;
  assert_int_equal(nxc_open(&cache, options), NXC_OK);
  assert_non_null(cache);
  return cache;
}

nxc_cache *test_open(const char *dir) {
  nxc_options options = test_options(dir);
  return test_open_with(&options);
}

/* ---- records -------------------------------------------------------------------------- */

nxc_slice slice_of(const void *data, size_t size) {
  return (nxc_slice){data, size};
}

nxc_slice slice(const char *text) {
  return slice_of(text, strlen(text));
}

nxc_record test_record(nxc_slice key, const nxc_slice *part) {
  return (nxc_record){
      .key = key,
      .revalidate_ms = NXC_NEVER,
      .expire_ms = NXC_NEVER,
      .parts = part,
      .part_count = part ? 1 : 0,
  };
}

/* Slices of a NULL-terminated list of texts; at most `room` of them. */
static size_t slices_of(const char *const *texts, nxc_slice *out, size_t room) {
  size_t count = 0;
  for (; texts != NULL && texts[count] != NULL; count++) {
    assert(count < room);
    out[count] = slice(texts[count]);
  }
  return count;
}

int test_put(nxc_cache *cache, const char *key, const char *value, const char *const *tags) {
  nxc_slice tag_slices[32];
  nxc_slice part = slice(value);
  nxc_record record = test_record(slice(key), &part);
  record.tags = tag_slices;
  record.tag_count = slices_of(tags, tag_slices, COUNT_OF(tag_slices));
  return nxc_put(cache, &record);
}

test_answer test_get_soft(nxc_cache *cache, const char *key, const char *const *soft_tags) {
  nxc_slice tag_slices[32];
  nxc_query query = {.key = slice(key), .soft_tags = tag_slices};
  query.soft_tag_count = slices_of(soft_tags, tag_slices, COUNT_OF(tag_slices));
  nxc_found found;
  memset(&found, 0x5a, sizeof found);
  test_answer answer = {.result = nxc_get(cache, &query, &found)};
  answer.why = found.why;
  answer.in_memory = found.in_memory;
  answer.dead_at_ms = found.dead_at_ms;
  memcpy(answer.why_tag, found.why_tag, sizeof answer.why_tag);
  if (answer.result == NXC_OK || answer.result == NXC_STALE) {
    assert_non_null(found.entry);
    nxc_slice part = nxc_entry_part(found.entry, 0);
    size_t size = part.size < sizeof answer.value ? part.size : sizeof answer.value - 1;
    if (size > 0) memcpy(answer.value, part.data, size);
    nxc_entry_unref(found.entry);
  } else {
    assert_null(found.entry);
  }
  return answer;
}

test_answer test_get(nxc_cache *cache, const char *key) {
  return test_get_soft(cache, key, NULL);
}

int test_mark(nxc_cache *cache, const char *tag, int64_t dead_after_ms) {
  nxc_slice tags[] = {slice(tag)};
  return nxc_mark(cache, tags, 1, dead_after_ms);
}

nxc_stats test_stats(nxc_cache *cache) {
  nxc_stats stats;
  memset(&stats, 0x5a, sizeof stats);
  assert_int_equal(nxc_stats_get(cache, &stats), NXC_OK);
  return stats;
}

uint64_t test_sum(const uint64_t row[NXC_CLASSES]) {
  uint64_t sum = 0;
  for (size_t i = 0; i < NXC_CLASSES; i++) sum += row[i];
  return sum;
}

/* ---- chance --------------------------------------------------------------------------- */

test_random test_random_seed(uint64_t fallback) {
  const char *text = getenv("NXC_TEST_SEED");
  uint64_t seed = text ? strtoull(text, NULL, 10) : fallback;
  return (test_random){seed * 2 + 1};
}

/* splitmix64: full period, and neighbouring seeds give unrelated streams. */
uint64_t test_random_next(test_random *random) {
  uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

uint64_t test_random_below(test_random *random, uint64_t bound) {
  return test_random_next(random) % bound;
}

/* ---- children ------------------------------------------------------------------------- */

pid_t test_spawn(const char *const *arguments) {
  static char self[4096]; /* read here: valgrind's children must not ask for valgrind */
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert(n > 0);
  self[n] = '\0';
  const char *argv[16] = {self};
  size_t count = 1;
  for (; arguments[count - 1] != NULL; count++) {
    assert(count < COUNT_OF(argv) - 1);
    argv[count] = arguments[count - 1];
  }
  argv[count] = NULL;
  pid_t child = fork();
  assert(child >= 0);
  if (child == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
    union {
      const char *const *in;
      char *const *out;
    } cast = {argv};
    execv(self, cast.out);
    _exit(127);
  }
  return child;
}

int test_wait(pid_t child) {
  int status = 0;
  pid_t waited;
  do {
    waited = waitpid(child, &status, 0);
  } while (waited < 0 && errno == EINTR);
  assert(waited == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
