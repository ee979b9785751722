/* test_surroundings.c - clocks that are set, processes that fork, threads that
 * are cancelled, limits, file systems on which nothing can be shared.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define HOUR INT64_C(3600000)
#define TEN_YEARS (INT64_C(87660) * HOUR)

static const int64_t steps[] = {HOUR, -HOUR, TEN_YEARS, -TEN_YEARS};

static int put_with(nxc_cache *c, const char *key, int64_t revalidate, int64_t expire,
                    const char *tag) {
  nxc_slice part = slice(key), tags = slice(tag ? tag : "");
  nxc_record r = test_record(slice(key), &part);
  r.revalidate_ms = revalidate;
  r.expire_ms = expire;
  r.tags = &tags;
  r.tag_count = tag != NULL;
  return nxc_put(c, &r);
}

static nxc_cache *reopened(nxc_cache *c, const char *dir, bool anew) {
  if (!anew) return c;
  nxc_close(c);
  return test_open(dir);
}

/* Marks are counted, not clocked. */
static void steps_and_marks(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    for (unsigned anew = 0; anew < 2; anew++) {
      char *dir = test_dir_make();
      test_clock_set(TEST_EPOCH_MS);
      nxc_cache *c = test_open(dir);
      uint64_t birth = nxc_birth(c);
      assert_int_equal(put_with(c, "before", NXC_NEVER, NXC_NEVER, "t"), NXC_OK);
      test_clock_advance(steps[i]);
      c = reopened(c, dir, anew);
      assert_int_equal(test_mark(c, "t", 0), NXC_OK);
      assert_int_equal(test_get(c, "before").result, NXC_MISS);
      /* Begun before the mark, put after it: born dead, whatever the clock says. */
      nxc_slice part = slice("x"), tag = slice("t");
      nxc_record r = test_record(slice("late"), &part);
      r.birth = birth;
      r.tags = &tag;
      r.tag_count = 1;
      assert_int_equal(nxc_put(c, &r), NXC_BORN_DEAD);
      assert_int_equal(put_with(c, "after", NXC_NEVER, NXC_NEVER, "t"), NXC_OK);
      assert_int_equal(test_get(c, "after").result, NXC_OK);
      test_clock_set(TEST_EPOCH_MS); /* and back */
      c = reopened(c, dir, anew);
      assert_int_equal(test_get(c, "before").result, NXC_MISS);
      assert_int_equal(test_get(c, "after").result, steps[i] > 0 ? NXC_MISS : NXC_OK);
      nxc_close(c);
      test_dir_remove(dir);
    }
  }
}

/* A directory removed while the clock was ahead: what is made after the clock went
 * back must live, and what was born before must not. */
static void steps_and_clearing(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    char *dir = test_dir_make();
    test_clock_set(TEST_EPOCH_MS + steps[i]);
    nxc_cache *c = test_open(dir);
    assert_int_equal(put_with(c, "before", NXC_NEVER, NXC_NEVER, "t"), NXC_OK);
    uint64_t birth = nxc_birth(c);
    test_clock_set(TEST_EPOCH_MS);
    assert_int_equal(nxc_clear(c), NXC_OK);
    assert_int_equal(test_get(c, "before").result, NXC_MISS);
    nxc_slice part = slice("x");
    nxc_record r = test_record(slice("late"), &part);
    r.birth = birth;
    assert_int_equal(nxc_put(c, &r), NXC_BORN_DEAD);
    assert_int_equal(put_with(c, "after", NXC_NEVER, NXC_NEVER, "t"), NXC_OK);
    assert_int_equal(test_get(c, "after").result, NXC_OK);
    nxc_close(c);
    c = test_open(dir);
    assert_int_equal(test_get(c, "after").result, NXC_OK);
    nxc_close(c);
    test_dir_remove(dir);
  }
}

static void steps_and_ages(void **state) {
  (void)state;
  for (unsigned anew = 0; anew < 2; anew++) {
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
      char *dir = test_dir_make();
      test_clock_set(TEST_EPOCH_MS);
      nxc_cache *c = test_open(dir);
      assert_int_equal(put_with(c, "old", 10 * HOUR, 20 * HOUR, NULL), NXC_OK);
      test_clock_advance(steps[i]);
      c = reopened(c, dir, anew);
      test_answer a = test_get(c, "old");
      if (steps[i] < 0) { /* from the future: not believed */
        assert_int_equal(a.result, NXC_MISS);
        assert_int_equal(a.why, NXC_WHY_FUTURE);
      } else if (steps[i] == HOUR) {
        assert_int_equal(a.result, NXC_OK);
      } else {
        assert_int_equal(a.result, NXC_MISS);
        assert_int_equal(a.why, NXC_WHY_AGE);
      }
      /* Those of one's own time age as they should. */
      assert_int_equal(put_with(c, "own", 10 * HOUR, 20 * HOUR, NULL), NXC_OK);
      test_clock_advance(10 * HOUR);
      assert_int_equal(test_get(c, "own").result, NXC_OK);
      test_clock_advance(1);
      assert_int_equal(test_get(c, "own").result, NXC_STALE);
      test_clock_advance(10 * HOUR - 1);
      assert_int_equal(test_get(c, "own").result, NXC_MISS);
      nxc_close(c);
      test_dir_remove(dir);
    }
  }
}

/* A stale mark with a deadline is a wall time: an earlier "dead in a year" must not
 * hide a later "dead now", and a deadline that passed once stays passed when it was
 * replaced. */
static void steps_and_deadlines(void **state) {
  char *dir = test_dir_make();
  (void)state;
  test_clock_set(TEST_EPOCH_MS);
  nxc_cache *c = test_open(dir);
  assert_int_equal(put_with(c, "k", NXC_NEVER, NXC_NEVER, "t"), NXC_OK);
  assert_int_equal(test_mark(c, "t", HOUR), NXC_OK);
  assert_int_equal(test_get(c, "k").result, NXC_STALE);
  assert_int_equal(test_get(c, "k").dead_at_ms, TEST_EPOCH_MS + HOUR);
  test_clock_advance(HOUR);
  assert_int_equal(test_get(c, "k").result, NXC_MISS);
  assert_int_equal(test_mark(c, "t", TEN_YEARS), NXC_OK); /* folds the passed one in */
  test_clock_set(TEST_EPOCH_MS);
  assert_int_equal(test_get(c, "k").result, NXC_MISS);
  nxc_close(c);
  test_dir_remove(dir);
}

/* ---- fork() --------------------------------------------------------------------------- */

static int in_the_child(nxc_cache *inherited, const char *dir) {
  nxc_query q = {.key = slice("k")};
  nxc_found found;
  nxc_stats stats;
  nxc_slice part = slice("child"), tag = slice("t");
  nxc_record r = test_record(slice("k"), &part);
  nxc_entry *entry = NULL;
  if (nxc_get(inherited, &q, &found) != NXC_E_FORKED) return 1;
  if (nxc_put(inherited, &r) != NXC_E_FORKED) return 2;
  if (nxc_remove(inherited, q.key) != NXC_E_FORKED) return 3;
  if (nxc_mark(inherited, &tag, 1, 0) != NXC_E_FORKED) return 4;
  if (nxc_clear(inherited) != NXC_E_FORKED) return 5;
  if (nxc_stats_get(inherited, &stats) != NXC_E_FORKED) return 6;
  if (nxc_entry_create(inherited, &r, &entry) != NXC_E_FORKED) return 7;
  if (nxc_set_memory(inherited, 1, 1) != NXC_E_FORKED) return 8;
  if (nxc_judge(inherited, &r, NULL, 0, &found) != NXC_E_FORKED) return 9;
  if (nxc_birth(inherited) != 0 || nxc_stats_json(inherited)) return 10;
  nxc_cache *own = test_open(dir);
  if (strcmp(test_get(own, "k").value, "parent") != 0) return 11;
  if (nxc_put(own, &r) != NXC_OK) return 12;
  nxc_close(own);
  nxc_close(inherited);
  return 0;
}

static void handles_after_a_fork(void **state) {
  char *dir = test_dir_make();
  (void)state;
  nxc_cache *c = test_open(dir);
  nxc_slice part = slice("parent");
  nxc_record r = test_record(slice("k"), &part);
  assert_int_equal(nxc_put(c, &r), NXC_OK);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(nxc_put(c, &r), NXC_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) _exit(in_the_child(c, dir));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(test_get(c, "k").value, "child"); /* coherent with the parent */
  }
  nxc_close(c);
  test_dir_remove(dir);
}

/* ---- threads that are cancelled ------------------------------------------------------- */

typedef struct doomed { /* a thread that is to end at its next cancellation point */
  nxc_cache *cache;
  const char *dir;
  int (*call)(struct doomed *d);
  sem_t ready, cancelled;
  int result; /* -99: the call did not return */
} doomed;

static int call_put(doomed *d) {
  nxc_slice part = slice("value");
  nxc_record r = test_record(slice("k"), &part);
  return nxc_put(d->cache, &r);
}

static int call_get(doomed *d) {
  return test_get(d->cache, "k").result;
}

static int call_mark(doomed *d) {
  return test_mark(d->cache, "tag", 0);
}

static int call_remove(doomed *d) {
  return nxc_remove(d->cache, slice("k"));
}

static int call_clear(doomed *d) {
  return nxc_clear(d->cache);
}

static int call_open(doomed *d) { /* a directory that nobody has open */
  nxc_close(test_open(d->dir));
  return NXC_OK;
}

static void *run_doomed(void *arg) {
  doomed *d = arg;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  sem_post(&d->ready);
  while (sem_wait(&d->cancelled)) {}
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  d->result = d->call(d);
  pthread_testcancel();
  return NULL;
}

/* Whoever is cancelled inside of a call would leave the others its locks. */
static void a_call_is_never_left_half_way(void **state) {
  int (*const calls[])(doomed *) = {call_put,   call_get, call_put,    call_mark,
                                    call_clear, call_put, call_remove, call_open};
  char *dir = test_dir_make(), *other = test_dir_make();
  nxc_options options = test_options(dir);
  (void)state;
  options.memory_bytes = 0; /* so that a get reads the disk */
  nxc_cache *c = test_open_with(&options);
  for (size_t i = 0; i < COUNT_OF(calls); i++) {
    doomed d = {.cache = c, .dir = other, .call = calls[i], .result = -99};
    pthread_t thread;
    void *end;
    sem_init(&d.ready, 0, 0);
    sem_init(&d.cancelled, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_doomed, &d), 0);
    while (sem_wait(&d.ready)) {}
    assert_int_equal(pthread_cancel(thread), 0);
    sem_post(&d.cancelled);
    assert_int_equal(pthread_join(thread, &end), 0);
    assert_ptr_equal(end, PTHREAD_CANCELED);
    assert_int_equal(d.result, NXC_OK);
  }
  nxc_close(c);
  test_dir_remove(dir);
  test_dir_remove(other);
}

/* ---- signals -------------------------------------------------------------------------- */

/* As a profiler sends them, a thousand a second. */
static void a_signal_costs_no_disk(void **state) {
  const fault interrupted = {FAULT_SYSCALL, EINTR, false};
  bool reserved = false;
  (void)state;
  for (long n = 1; !reserved; n++) {
    char *dir = test_dir_make();
    fault_arm(interrupted, n);
    nxc_cache *c = test_open(dir);
    assert_int_equal(fault_disarm(), 1); /* or it is not reserved at all */
    reserved = strcmp(fault_where(), "posix_fallocate64") == 0;
    if (reserved) assert_int_equal(test_stats(c).disk, 1);
    nxc_close(c);
    test_dir_remove(dir);
  }
}

/* ---- limits --------------------------------------------------------------------------- */

/* What a process that may write no more than `bytes` into a file finds: whether it has a
 * disk, and whether it was told why not. */
static int under_a_limit(const char *dir, rlim_t bytes, uint64_t disk_bytes, bool ignores) {
  const struct rlimit limit = {bytes, RLIM_INFINITY};
  static char value[100000];
  nxc_slice part = slice_of(value, sizeof value);
  nxc_options options = test_options(dir);
  options.disk_bytes = disk_bytes;
  if (setrlimit(RLIMIT_FSIZE, &limit) || (ignores && signal(SIGXFSZ, SIG_IGN) == SIG_ERR)) return 9;
  nxc_cache *c = test_open_with(&options);
  for (int i = 0; i < 200; i++) { /* more than the ring has */
    char key[16];
    snprintf(key, sizeof key, "%d", i);
    nxc_record r = test_record(slice(key), &part);
    (void)nxc_put(c, &r);
  }
  bool told = strstr(test_error_last, "this process may write into a file");
  int found = test_stats(c).disk | told << 1;
  nxc_close(c);
  return found;
}

static int child_under_a_limit(const char *dir, rlim_t bytes, uint64_t disk_bytes, bool ignores) {
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child) _exit(under_a_limit(dir, bytes, disk_bytes, ignores));
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* By default a write beyond the limit ends the process. */
static void limits_of_files(void **state) {
  char *dir = test_dir_make();
  const rlim_t no_index = 100000, half_a_ring = 5 * MB, enough = 8 * MB;
  (void)state;
  assert_int_equal(child_under_a_limit(dir, no_index, 8 * MB, false), 2);
  assert_int_equal(child_under_a_limit(dir, half_a_ring, 8 * MB, false), 2);
  assert_int_equal(child_under_a_limit(dir, enough, 8 * MB, false), 1);
  assert_int_equal(child_under_a_limit(dir, half_a_ring, 8 * MB, false), 2); /* one is there */
  assert_int_equal(child_under_a_limit(dir, enough, 16 * MB, false), 1);     /* and stays */
  assert_int_equal(child_under_a_limit(dir, half_a_ring, 8 * MB, true), 1);  /* shorter */
  test_dir_remove(dir);
}

/* ---- file systems --------------------------------------------------------------------- */

static void network_file_systems(void **state) {
  static const unsigned long magics[] = {0x6969, 0xff534d42, 0xfe534d42, 0x01021997, 0x65735546};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(magics); i++) {
    char *dir = test_dir_make();
    fault_file_system(magics[i]);
    nxc_cache *c = test_open(dir);
    for (unsigned n = 0; n < 20; n++) {
      assert_int_equal(test_put(c, "k", "v", (const char *const[]){"t", NULL}), NXC_MEMORY_ONLY);
      assert_string_equal(test_get(c, "k").value, "v");
    }
    nxc_stats stats = test_stats(c);
    assert_int_equal(stats.disk, 0);
    assert_int_equal(test_error_count, 1);
    assert_non_null(strstr(test_error_last, "file system"));
    assert_int_equal(test_mark(c, "t", 0), NXC_E_IO); /* obeyed here alone, and says so */
    assert_int_equal(test_get(c, "k").result, NXC_MISS);
    nxc_close(c);
    fault_file_system(0);
    test_dir_remove(dir);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_and_marks),
      cmocka_unit_test(steps_and_clearing),
      cmocka_unit_test(steps_and_ages),
      cmocka_unit_test(steps_and_deadlines),
      cmocka_unit_test(a_call_is_never_left_half_way),
      cmocka_unit_test(handles_after_a_fork),
      cmocka_unit_test(a_signal_costs_no_disk),
      cmocka_unit_test(limits_of_files),
      cmocka_unit_test(network_file_systems),
  };
  world_in_memory();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
