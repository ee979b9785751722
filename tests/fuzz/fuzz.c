/* fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include <ftw.h>
#include <sys/types.h>
#include <unistd.h>

int64_t fuzz_now_ms = INT64_C(1780000000000);

static uint64_t random_state;
static char scratch[64];

/* Instances and keys must repeat from run to run, or no input could be replayed.
 * The linker gives us the library's calls (--wrap=getrandom). */
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags);

ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags) {
  unsigned char *at = to;
  (void)flags;
  for (size_t i = 0; i < size; i++) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    at[i] = (unsigned char)(random_state >> 56);
  }
  return (ssize_t)size;
}

void fuzz_random_reset(void) {
  random_state = 1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
  (void)st;
  (void)type;
  (void)walk;
  return remove(path);
}

void fuzz_remove_tree(const char *path) {
  (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_scratch(void) {
  fuzz_remove_tree(scratch);
}

const char *fuzz_dir(void) {
  if (scratch[0]) return scratch;
  snprintf(scratch, sizeof scratch, "%s/nextcache-fuzz-XXXXXX",
           access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  CHECK(mkdtemp(scratch), "no scratch directory %s", scratch);
  atexit(remove_scratch);
  return scratch;
}

static int64_t clock_now(void *arg) {
  (void)arg;
  return fuzz_now_ms;
}

nxc_options fuzz_options(void) {
  nxc_options o;
  nxc_options_init(&o);
  o.memory_bytes = 1 << 20;
  o.disk_bytes = 8 << 20;
  o.tag_rows = 16;
  o.now_ms = clock_now;
  return o;
}
