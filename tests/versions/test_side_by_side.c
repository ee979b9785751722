/* test_side_by_side.c - processes of two releases on one directory, killed at random.
 *
 *   round: old | old and new | new | old and new ("back again") | old | new
 *
 * Every process judges what it gets by an oracle in shared memory: no content older than
 * a mark or a clear that returned, in whichever release, and none of the other release.
 * The controller kills, looks at the bytes of both data files all the time, and counts
 * what was told. NXC_TEST_LONG=1 runs more rounds, with clears.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oracle.h"

#define HALF (PROCESSES / 2)
#define HANG_MS 30000

typedef struct round_of {
  unsigned old_mb, new_mb; /* asked for */
} round_of;

static oracle *all;
static int all_fd;
static char *dir;
static pid_t processes[PROCESSES];
static round_of bounds;
static bool clears;
static uint64_t chance = 1, kills, unexpected, largest_percent;

static int64_t steady_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void start(unsigned i) {
  char self[PATH_MAX], path[PATH_MAX + 32], bound[24], fd[12], slot[12], seed[24];
  unsigned version = i < HALF ? 1 : 2;
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = '\0';
  (void)snprintf(path, sizeof path, "%s/release_%u", dirname(self), version);
  (void)snprintf(bound, sizeof bound, "%llu",
                 (unsigned long long)((version == 1 ? bounds.old_mb : bounds.new_mb) * MB));
  (void)snprintf(fd, sizeof fd, "%d", all_fd);
  (void)snprintf(slot, sizeof slot, "%u", i);
  (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)next_random(&chance));
  atomic_store(&all->processes[i].stop, 0);
  processes[i] = fork();
  assert_true(processes[i] >= 0);
  if (processes[i] == 0) {
    execl(path, path, "load", dir, bound, fd, slot, seed, clears ? "clears" : NULL, (char *)NULL);
    _exit(127);
  }
}

static void reap(unsigned i, int expected) {
  int status = 0;
  assert_int_equal(waitpid(processes[i], &status, 0), processes[i]);
  if (status != expected) unexpected++;
  processes[i] = 0;
}

static void murder(unsigned i) {
  (void)kill(processes[i], SIGKILL);
  reap(i, SIGKILL);
  kills++;
}

/* Lets it end by itself; a process that hangs is killed, and counted as unexpected. */
static void end(unsigned i) {
  siginfo_t info = {.si_pid = 0};
  int64_t give_up = steady_ms() + HANG_MS;
  atomic_store(&all->processes[i].stop, 1);
  while (info.si_pid == 0 && steady_ms() < give_up) {
    (void)waitid(P_PID, (id_t)processes[i], &info, WEXITED | WNOHANG | WNOWAIT);
    usleep(1000);
  }
  if (info.si_pid == 0) (void)kill(processes[i], SIGKILL);
  reap(i, 0);
}

static uint64_t data_bytes(void) {
  uint64_t bytes = 0;
  for (int version = 1; version <= 2; version++) {
    char path[600], file[900];
    (void)snprintf(path, sizeof path, "%s/v%d", dir, version);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
      struct stat st;
      if (strncmp(e->d_name, "data-", 5) != 0) continue;
      (void)snprintf(file, sizeof file, "%s/%s", path, e->d_name);
      if (stat(file, &st) == 0) bytes += (uint64_t)st.st_blocks * 512;
    }
    if (d) closedir(d);
  }
  return bytes;
}

static void look_at_the_bytes(void) {
  uint64_t bound = (bounds.old_mb > bounds.new_mb ? bounds.old_mb : bounds.new_mb) * MB;
  uint64_t percent = data_bytes() * 100 / bound;
  if (percent > largest_percent) largest_percent = percent;
}

/* Only these releases, from now on, for a while. The first process of each is seldom
 * killed: what it has in memory has to stay right for long. */
static void phase(bool old, bool new, unsigned duration_ms) {
  int64_t until = steady_ms() + duration_ms;
  for (unsigned i = 0; i < PROCESSES; i++) {
    bool wanted = i < HALF ? old : new;
    if (processes[i] && !wanted && next_random(&chance) % 2) end(i);
    if (processes[i] && !wanted) murder(i);
  }
  for (unsigned i = 0; i < PROCESSES; i++) {
    if ((i < HALF ? old : new) && !processes[i]) start(i);
  }
  while (steady_ms() < until) {
    unsigned i = (unsigned)(next_random(&chance) % PROCESSES);
    look_at_the_bytes();
    usleep(2000);
    if (!processes[i] || next_random(&chance) % 8) continue;
    if (i % HALF == 0 && next_random(&chance) % 16) continue;
    murder(i);
    start(i);
  }
}

static void one_round(unsigned ms) {
  phase(true, false, ms / 2);
  phase(true, true, ms);
  phase(false, true, ms + 500); /* a running one takes over after a second */
  phase(true, true, ms);
  phase(true, false, ms / 2);
  phase(false, true, ms / 2);
  phase(false, false, 0);
}

static void report(void) {
  for (int r = 1; r <= 2; r++) {
    printf("# release %d:", r);
#define X(name) printf(" %llu " #name, (unsigned long long)atomic_load(&all->n[r].name));
    COUNTS(X)
#undef X
    printf("\n");
  }
  printf("# %llu kills, at most %llu %% of the larger bound\n", (unsigned long long)kills,
         (unsigned long long)largest_percent);
}

static void two_releases_side_by_side(void **state) {
  static const round_of rounds[] = {{16, 16}, {24, 16}, {8, 40}};
  bool is_long = getenv("NXC_TEST_LONG") != NULL;
  (void)state;
  for (unsigned n = 0; n < (is_long ? 24 : COUNT_OF(rounds)); n++) {
    dir = test_dir_make();
    bounds = rounds[n % COUNT_OF(rounds)];
    clears = n % 2;
    memset(all->tags, 0, sizeof all->tags); /* another directory: its marks are others */
    atomic_store(&all->cleared, 0);
    one_round(is_long ? 3000 : 1000);
    test_dir_remove(dir);
  }
  report();
  assert_int_equal(unexpected, 0);
  assert_true(largest_percent <= 101);
  for (int r = 1; r <= 2; r++) {
    assert_int_equal(atomic_load(&all->n[r].violations), 0);
    assert_int_equal(atomic_load(&all->n[r].failed), 0);
    /* Or else it proves nothing. */
    assert_true(atomic_load(&all->n[r].hits) * 10 > atomic_load(&all->n[r].gets));
    assert_true(atomic_load(&all->n[r].stale) > 0 && atomic_load(&all->n[r].marks) > 100);
    assert_true(atomic_load(&all->n[r].judged_fresh) > 100 && atomic_load(&all->n[r].told) > 0);
  }
  assert_true(largest_percent >= 60 && kills > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(two_releases_side_by_side)};
  all_fd = memfd_create("oracle", 0);
  if (all_fd < 0 || ftruncate(all_fd, sizeof *all)) return 2;
  all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, all_fd, 0);
  if (all == MAP_FAILED) return 2;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
