/* test_soak.c - everything at once for a while, and nothing grows.
 *
 *   two veterans    put, get, mark, remove, clear, resize their memory tier, open and
 *                   close; they are measured
 *   two recruits    the same, but are killed every few ms, and replaced
 *   the controller  kills, and removes the directory now and then
 *
 * "Flat", for each veteran, with the first third of the run as warm-up:
 *   descriptors   after a close: exactly as many as before the first open
 *   heap          in use after a close <= most of the warm-up + HEAP_SLACK
 *   mappings      after a close <= most of the warm-up + MAP_SLACK
 *   resident      at any time <= most of the warm-up + RESIDENT_SLACK
 *   memory tier   at any time <= its budget
 * NXC_TEST_SECONDS sets the time: 8 s, in the long form 600.
 */
#include "support.h"

#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VETERANS 2
#define WORKERS 4
#define SAMPLES 20000
#define ROUNDS_PER_SAMPLE 50
#define KEYS 400
#define BUDGET (2 * MB)
#define HEAP_SLACK 4096
#define MAP_SLACK 4 /* arenas of the allocator for a thread that came and went */
#define RESIDENT_SLACK (4 * MB)

typedef struct sample {
  uint64_t heap, resident;
  unsigned descriptors, mappings;
} sample;

typedef struct shared {
  atomic_bool over;
  atomic_uint counts[WORKERS], wrong, failed, told, over_budget, clears, hits;
  struct {
    unsigned before; /* descriptors */
    atomic_uint n;
    sample samples[SAMPLES];
  } veterans[VETERANS];
} shared;

static shared *all;
static const char *dir;
static unsigned char body[200 << 10];

static int64_t steady_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- measuring ------------------------------------------------------------------------ */

static unsigned open_descriptors(void) {
  unsigned n = 0;
  DIR *d = opendir("/proc/self/fd");
  assert_non_null(d);
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

/* What it needs of the heap is given back before anything is measured. */
static size_t read_proc(const char *path, char *to, size_t room) {
  FILE *f = fopen(path, "re");
  assert_non_null(f);
  size_t n = fread(to, 1, room - 1, f);
  (void)fclose(f);
  to[n] = '\0';
  return n;
}

static uint64_t resident_bytes(void) {
  char text[128];
  unsigned long pages = 0;
  (void)read_proc("/proc/self/statm", text, sizeof text);
  assert_int_equal(sscanf(text, "%*u %lu", &pages), 1);
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static unsigned mappings(void) {
  static char text[64 << 10];
  unsigned n = 0;
  (void)read_proc("/proc/self/maps", text, sizeof text);
  for (const char *at = text; (at = strchr(at, '\n')); at++) n++;
  return n;
}

static uint64_t heap_in_use(void) {
  struct mallinfo2 m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

/* ---- a worker -------------------------------------------------------------------------- */

static void note_error(void *arg, const char *message) {
  (void)arg;
  if (atomic_fetch_add(&all->told, 1) < 5) (void)fprintf(stderr, "# told: %s\n", message);
}

static nxc_cache *open_one(void) {
  nxc_cache *c = NULL;
  nxc_options o = test_options(dir);
  o.memory_bytes = BUDGET;
  o.tag_rows = 64;
  o.on_error = note_error;
  if (nxc_open(&c, &o) != NXC_OK) _exit(3);
  return c;
}

static void expect(int rc, bool good, const char *what) {
  if (good) return;
  if (atomic_fetch_add(&all->failed, 1) < 5) (void)fprintf(stderr, "# %s: %d\n", what, rc);
}

/* The value of a key is a part of `body` that begins where the key says. */
static void put(nxc_cache *c, test_random *random, unsigned key) {
  char name[16], tag[16];
  size_t size = (size_t)(test_random_next(random) >> (47 + test_random_below(random, 16)));
  (void)snprintf(name, sizeof name, "%u", key);
  (void)snprintf(tag, sizeof tag, "t%u", key % 100);
  nxc_slice part = slice_of(body + key, size), tags = slice(tag);
  nxc_record r = test_record(slice(name), &part);
  r.tags = &tags;
  r.tag_count = 1;
  r.expire_ms = key % 10 ? NXC_NEVER : 1;
  r.created_ms = key % 10 ? 0 : TEST_EPOCH_MS - 5; /* born dead */
  int rc = nxc_put(c, &r);
  expect(rc, rc >= 0 || rc == NXC_E_TOO_LARGE || rc == NXC_E_IO, "put");
}

static void get(nxc_cache *c, unsigned key) {
  char name[16];
  nxc_found found;
  (void)snprintf(name, sizeof name, "%u", key);
  nxc_slice soft = slice("soft");
  nxc_query q = {.key = slice(name), .soft_tags = &soft, .soft_tag_count = key & 1};
  int rc = nxc_get(c, &q, &found);
  expect(rc, rc == NXC_OK || rc == NXC_STALE || rc == NXC_MISS, "get");
  if (!found.entry) return;
  nxc_slice part = nxc_entry_part(found.entry, 0);
  if (memcmp(part.data, body + key, part.size) != 0) atomic_fetch_add(&all->wrong, 1);
  atomic_fetch_add(&all->hits, 1);
  nxc_entry_unref(found.entry);
}

static void do_something(nxc_cache *c, test_random *random) {
  unsigned key = (unsigned)test_random_below(random, KEYS);
  unsigned dice = (unsigned)test_random_below(random, 1000);
  char text[16];
  int rc = NXC_OK;
  (void)snprintf(text, sizeof text, "t%u", key % 100);
  if (dice < 400)
    put(c, random, key);
  else if (dice < 930)
    get(c, key);
  else if (dice < 950)
    rc = test_mark(c, text, dice & 1 ? 0 : (int64_t)dice);
  else if (dice < 970)
    rc = nxc_remove(c, slice(text + 1));
  else if (dice < 985)
    rc = nxc_set_memory(c, test_random_below(random, BUDGET), dice & 1 ? 50 : 0);
  else if (dice < 998)
    free(nxc_stats_json(c));
  else if (atomic_fetch_add(&all->clears, 1) % 2)
    rc = nxc_clear(c);
  expect(rc, rc == NXC_OK || rc == NXC_E_IO, "mark, remove or clear");
}

/* What is still open counts as resident; what is left after a close counts as lost. */
static nxc_cache *measure(nxc_cache *c, unsigned who) {
  unsigned n = atomic_load(&all->veterans[who].n);
  if (n == SAMPLES) return c;
  sample *s = &all->veterans[who].samples[n];
  nxc_stats stats = test_stats(c);
  if (stats.memory_bytes > stats.memory_limit_bytes && stats.memory_items) {
    atomic_fetch_add(&all->over_budget, 1);
  }
  s->resident = resident_bytes();
  nxc_close(c);
  s->descriptors = open_descriptors();
  s->heap = heap_in_use();
  s->mappings = mappings();
  atomic_store(&all->veterans[who].n, n + 1);
  return open_one();
}

static _Noreturn void work(unsigned who, uint64_t seed) {
  test_random random = {seed * 2 + 1};
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (who < VETERANS) all->veterans[who].before = open_descriptors();
  nxc_cache *c = open_one();
  /* Samples of the long form are spread over its time. */
  int64_t next_ms = 0;
  while (!atomic_load(&all->over)) {
    for (unsigned i = 0; i < ROUNDS_PER_SAMPLE; i++) do_something(c, &random);
    atomic_fetch_add(&all->counts[who], ROUNDS_PER_SAMPLE);
    if (who >= VETERANS || steady_ms() < next_ms) continue;
    c = measure(c, who);
    next_ms = steady_ms() + 40;
  }
  nxc_close(c);
  _exit(0);
}

/* ---- the controller ---------------------------------------------------------------------- */

static pid_t start(unsigned who, uint64_t seed) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) work(who, seed);
  return child;
}

static double seconds_wanted(void) {
  const char *text = getenv("NXC_TEST_SECONDS");
  return text ? strtod(text, NULL) : 8;
}

static void run(test_random *random, unsigned *kills, unsigned *wipes) {
  pid_t workers[WORKERS];
  int64_t end_ms = steady_ms() + (int64_t)(seconds_wanted() * 1000);
  for (unsigned i = 0; i < WORKERS; i++) workers[i] = start(i, test_random_next(random));
  while (steady_ms() < end_ms) {
    usleep(5000 + (unsigned)test_random_below(random, 40000));
    unsigned who = VETERANS + (unsigned)test_random_below(random, WORKERS - VETERANS);
    kill(workers[who], SIGKILL);
    assert_int_equal(test_wait(workers[who]), 128 + SIGKILL);
    workers[who] = start(who, test_random_next(random));
    ++*kills;
    if (test_random_below(random, 20)) continue;
    test_remove_tree(dir);
    ++*wipes;
  }
  atomic_store(&all->over, true);
  for (unsigned i = 0; i < WORKERS; i++) assert_int_equal(test_wait(workers[i]), 0);
}

typedef struct most {
  uint64_t heap, resident;
  unsigned mappings;
} most;

static most most_of(const sample *s, unsigned from, unsigned to) {
  most m = {0};
  for (unsigned i = from; i < to; i++) {
    if (s[i].heap > m.heap) m.heap = s[i].heap;
    if (s[i].resident > m.resident) m.resident = s[i].resident;
    if (s[i].mappings > m.mappings) m.mappings = s[i].mappings;
  }
  return m;
}

static void veteran_is_flat(unsigned who) {
  const sample *s = all->veterans[who].samples;
  unsigned n = atomic_load(&all->veterans[who].n);
  assert_true(n >= 30); /* or it says nothing */
  most early = most_of(s, 0, n / 3), late = most_of(s, n / 3, n);
  print_message("# veteran %u, %u samples, most in the first third and later: heap after a close "
                "%u and %u bytes, mappings %u and %u, resident %u and %u KB; descriptors %u\n",
                who, n, (unsigned)early.heap, (unsigned)late.heap, early.mappings, late.mappings,
                (unsigned)(early.resident >> 10), (unsigned)(late.resident >> 10),
                s[n - 1].descriptors);
  for (unsigned i = 0; i < n; i++) {
    assert_int_equal(s[i].descriptors, all->veterans[who].before);
  }
  assert_true(late.heap <= early.heap + HEAP_SLACK);
  assert_true(late.mappings <= early.mappings + MAP_SLACK);
  assert_true(late.resident <= early.resident + RESIDENT_SLACK);
}

static unsigned names_in(const char *path) {
  unsigned n = 0;
  DIR *d = opendir(path);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

static void everything_at_once_stays_flat(void **state) {
  test_random random = test_random_seed(7);
  unsigned kills = 0, wipes = 0, operations = 0;
  char *path = test_dir_make(), v1[1024];
  (void)state;
  dir = path;
  test_clock_set(TEST_EPOCH_MS);
  for (size_t i = 0; i < sizeof body; i++) body[i] = (unsigned char)(i * i >> 5 ^ i);
  all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(all != MAP_FAILED);
  run(&random, &kills, &wipes);
  for (unsigned i = 0; i < WORKERS; i++) operations += atomic_load(&all->counts[i]);
  print_message("# %u operations, %u hits, %u kills, %u rm -rf, %u clears\n", operations,
                atomic_load(&all->hits), kills, wipes, atomic_load(&all->clears) / 2);
  assert_int_equal(atomic_load(&all->wrong), 0);
  assert_int_equal(atomic_load(&all->failed), 0);
  assert_int_equal(atomic_load(&all->told), 0);
  assert_int_equal(atomic_load(&all->over_budget), 0);
  assert_true(kills > 10 && wipes > 0 && atomic_load(&all->clears) > 1);
  assert_true(atomic_load(&all->hits) * 20 > operations);
  for (unsigned who = 0; who < VETERANS; who++) veteran_is_flat(who);
  /* What killed processes left behind goes with the next clearing. */
  nxc_cache *c = open_one();
  assert_int_equal(nxc_clear(c), NXC_OK);
  (void)snprintf(v1, sizeof v1, "%s/v1", path);
  assert_int_equal(names_in(v1), 2);
  nxc_close(c);
  test_dir_remove(path);
}

/* Blocks that the allocator keeps for quick use would count as used. */
static void without_quick_blocks(char **argv) {
  static const char wanted[] = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0";
  const char *set = getenv("GLIBC_TUNABLES");
  if (set && strcmp(set, wanted) == 0) return;
  (void)setenv("GLIBC_TUNABLES", wanted, 1);
  execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
  (void)argc;
  without_quick_blocks(argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_at_once_stays_flat),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
