/* support.h - what every test needs: cmocka in the order that it wants, a
 * clock that only the test moves, a directory of its own, short constructors.
 */
#ifndef NXC_TEST_SUPPORT_H
#define NXC_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above first. */
#include <cmocka.h>
#include <sys/types.h>

#include "nextcache.h"

#define MB ((uint64_t)1 << 20)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A time in 2026, so that no test starts at zero by luck. */
#define TEST_EPOCH_MS INT64_C(1780000000000)

/* ---- the clock: shared with forked children, moved by the test alone ------- */

void test_clock_set(int64_t now_ms);
void test_clock_advance(int64_t by_ms);
int64_t test_clock_now(void *unused);

/* ---- the directory ----------------------------------------------------------- */

/* A fresh directory under $TMPDIR (or /tmp); removed by test_dir_remove(). */
char *test_dir_make(void);
void test_dir_remove(char *dir);
/* Removes a path and everything below it. */
void test_remove_tree(const char *path);
/* Bytes that everything below `path` occupies on the disk (st_blocks). */
uint64_t test_dir_bytes(const char *path);

/* ---- opening --------------------------------------------------------------------- */

/* Messages given to on_error since the last test_options(). */
extern int test_error_count;
extern char test_error_last[512];

/* Options with the test clock: 1 MB of memory, 8 MB of disk when dir is given. */
nxc_options test_options(const char *dir);
/* Opens with them; fails the test when that fails. */
nxc_cache *test_open(const char *dir);
nxc_cache *test_open_with(const nxc_options *options);

/* ---- records -------------------------------------------------------------------- */

nxc_slice slice(const char *text);
nxc_slice slice_of(const void *data, size_t size);

/* A record of one part without tags or end, born and created at the call. */
nxc_record test_record(nxc_slice key, const nxc_slice *part);
/* Puts `value` under `key` with tags (a list that ends in NULL, or NULL). */
int test_put(nxc_cache *cache, const char *key, const char *value, const char *const *tags);

/* The result of a get, with the first part copied out and the entry released. */
typedef struct test_answer {
  int result;
  nxc_why why;
  int in_memory;
  int64_t dead_at_ms;
  char why_tag[64];
  char value[256]; /* first part as text, cut to fit; "" on a miss */
} test_answer;

test_answer test_get(nxc_cache *cache, const char *key);
test_answer test_get_soft(nxc_cache *cache, const char *key, const char *const *soft_tags);
int test_mark(nxc_cache *cache, const char *tag, int64_t dead_after_ms);
nxc_stats test_stats(nxc_cache *cache);
/* Sums one of the per-class rows. */
uint64_t test_sum(const uint64_t row[NXC_CLASSES]);

/* ---- chance ----------------------------------------------------------------------- */

/* A small generator with a visible seed: NXC_TEST_SEED, or the given default. */
typedef struct test_random {
  uint64_t state;
} test_random;

test_random test_random_seed(uint64_t fallback);
uint64_t test_random_next(test_random *random);
uint64_t test_random_below(test_random *random, uint64_t bound);

/* ---- children ----------------------------------------------------------------------- */

/* Starts this very executable again with the given arguments (ending in NULL),
 * which main() is to recognise; returns its process id. */
pid_t test_spawn(const char *const *arguments);
/* Waits for it; returns its exit code, or 128 + the signal that ended it. */
int test_wait(pid_t child);

#endif /* NXC_TEST_SUPPORT_H */
