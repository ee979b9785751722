/* test_handover.c - an old release and the next one on one directory, step by step:
 * processes of both do what they are told, one thing at a time.
 */
#include "support.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OLD 1
#define NEW 2

typedef struct release {
  pid_t process;
  FILE *to, *from;
} release;

static const char *program(int version) {
  static char path[PATH_MAX + 32];
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = '\0';
  (void)snprintf(path, sizeof path, "%s/release_%d", dirname(self), version);
  return path;
}

/* The answer to one line; valid until the next. */
static const char *hear(const release *r) {
  static char line[600];
  assert_non_null(fgets(line, sizeof line, r->from));
  line[strcspn(line, "\n")] = '\0';
  return line;
}

static const char *ask(const release *r, const char *line) {
  assert_true(fprintf(r->to, "%s\n", line) > 0 && fflush(r->to) == 0);
  return hear(r);
}

static release start(int version, const char *dir, unsigned mb) {
  int to[2], from[2];
  char bound[24];
  const char *path = program(version);
  (void)snprintf(bound, sizeof bound, "%llu", (unsigned long long)(mb * MB));
  assert_int_equal(pipe2(to, O_CLOEXEC), 0);
  assert_int_equal(pipe2(from, O_CLOEXEC), 0);
  release r = {.process = fork()};
  assert_true(r.process >= 0);
  if (r.process == 0) {
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    execl(path, path, "commands", dir, bound, (char *)NULL);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  r.to = fdopen(to[1], "w");
  r.from = fdopen(from[0], "r");
  assert_string_equal(hear(&r), "open");
  return r;
}

static void end(release *r) {
  int status = 0;
  (void)fclose(r->to);
  assert_int_equal(waitpid(r->process, &status, 0), r->process);
  assert_int_equal(status, 0);
  (void)fclose(r->from);
}

static void murder(release *r) {
  int status = 0;
  assert_int_equal(kill(r->process, SIGKILL), 0);
  assert_int_equal(waitpid(r->process, &status, 0), r->process);
  (void)fclose(r->to);
  (void)fclose(r->from);
}

static unsigned limit_mb(const release *r) {
  return (unsigned)(strtoull(ask(r, "limit"), NULL, 10) / MB);
}

static bool exists(const char *dir, const char *name) {
  char path[600];
  (void)snprintf(path, sizeof path, "%s/%s", dir, name);
  return access(path, F_OK) == 0;
}

/* Asks until the answer comes, for five seconds. */
static void assert_comes(const release *r, const char *line, const char *answer) {
  const struct timespec pause = {0, 20000000};
  for (int tries = 0; tries < 250; tries++) {
    if (strcmp(ask(r, line), answer) == 0) return;
    nanosleep(&pause, NULL);
  }
  assert_string_equal(ask(r, line), answer);
}

/* "judge TAG now" of a time some milliseconds ago. */
static const char *judge(const release *r, const char *tag, int64_t created_ms) {
  char line[64];
  (void)snprintf(line, sizeof line, "judge %s %lld", tag, (long long)created_ms);
  return ask(r, line);
}

static int64_t wall_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- side by side ---------------------------------------------------------------------- */

static void each_release_reads_its_own(void **state) {
  (void)state;
  char *dir = test_dir_make();
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16);
  assert_string_equal(ask(&old, "put k t old"), "ok");
  assert_string_equal(ask(&new, "get k"), "miss");
  assert_string_equal(ask(&new, "put k t new"), "ok");
  assert_string_equal(ask(&old, "get k"), "ok old");
  assert_string_equal(ask(&new, "get k"), "ok new");
  assert_true(exists(dir, "v1/index") && exists(dir, "v2/index"));
  end(&old);
  end(&new);
  test_dir_remove(dir);
}

static void a_mark_of_either_reaches_both(void **state) {
  (void)state;
  char *dir = test_dir_make();
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16);
  release *const both[] = {&old, &new};
  (void)ask(&old, "limit"); /* it finds its place halved */
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < 2; k++) {
      assert_string_equal(ask(both[k], "put k t value"), "ok");
      assert_string_equal(ask(both[k], "get k"), "ok value");
      assert_string_equal(ask(both[k], "put s u value"), "ok");
      assert_string_equal(ask(both[k], "begin"), "ok");
    }
    assert_string_equal(ask(both[i], "mark t 0"), "ok");
    assert_string_equal(ask(both[i], "mark u 3600000"), "ok");
    for (int k = 0; k < 2; k++) {
      assert_string_equal(ask(both[k], "get k"), "miss");
      assert_string_equal(ask(both[k], "get s"), "stale value");
      assert_string_equal(ask(both[k], "finish k t late"), "born-dead"); /* born dead */
      assert_string_equal(ask(both[k], "get k"), "miss");
    }
  }
  end(&old);
  end(&new);
  test_dir_remove(dir);
}

static void build_output_obeys_the_marks_of_the_other(void **state) {
  (void)state;
  char *dir = test_dir_make();
  int64_t before = wall_ms();
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16);
  assert_string_equal(judge(&old, "t", before), "ok");
  assert_string_equal(judge(&new, "t", before), "ok");
  assert_string_equal(ask(&new, "mark t 0"), "ok");
  assert_string_equal(judge(&old, "t", before), "miss");
  assert_string_equal(ask(&old, "mark u 0"), "ok");
  assert_string_equal(judge(&new, "u", before), "miss");
  assert_string_equal(judge(&new, "other", before), "ok");
  end(&old);
  end(&new);
  test_dir_remove(dir);
}

static void both_share_the_larger_bound_and_say_so_once(void **state) {
  (void)state;
  static const unsigned cases[][4] = {/* asked for by old and new; what they have */
                                      {16, 16, 8, 8},
                                      {64, 16, 32, 32},
                                      {16, 64, 16, 48},
                                      {8, 8, 4, 4}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char *dir = test_dir_make();
    release old = start(OLD, dir, cases[i][0]), new = start(NEW, dir, cases[i][1]);
    assert_string_equal(ask(&old, "put k t v"), "ok");
    assert_string_equal(ask(&new, "put k t v"), "ok");
    assert_int_equal(limit_mb(&old), cases[i][2]);
    assert_int_equal(limit_mb(&new), cases[i][3]);
    assert_int_equal(atoi(ask(&old, "told")), cases[i][0] != cases[i][2]);
    assert_int_equal(atoi(ask(&new, "told")), cases[i][1] != cases[i][3]);
    assert_non_null(strstr(ask(&new, "told"), "another release"));
    release late = start(OLD, dir, cases[i][0]); /* does not grow while both are in use */
    assert_int_equal(limit_mb(&late), cases[i][2]);
    end(&late);
    end(&old);
    end(&new);
    test_dir_remove(dir);
  }
}

static void a_clear_of_either_clears_both(void **state) {
  (void)state;
  char *dir = test_dir_make();
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16);
  release *const both[] = {&old, &new};
  for (int i = 0; i < 2; i++) {
    int64_t before = wall_ms();
    for (int k = 0; k < 2; k++) {
      (void)ask(both[k], "limit");
      assert_comes(both[k], "put k t value", "ok");
      assert_string_equal(ask(both[k], "get k"), "ok value");
    }
    assert_string_equal(ask(both[i], "clear"), "ok");
    for (int k = 0; k < 2; k++) {
      assert_string_equal(ask(both[k], "get k"), "miss");
      assert_string_equal(judge(both[k], "t", before), "miss");
    }
  }
  end(&old);
  end(&new);
  test_dir_remove(dir);
}

/* ---- one after the other ------------------------------------------------------------------ */

/* An old release that put and marked, and has ended; what its marks were. */
static int64_t leave_an_old_one(const char *dir, bool beside) {
  int64_t before = wall_ms();
  release old = start(OLD, dir, 16), new = {.process = 0};
  if (beside) new = start(NEW, dir, 16);
  assert_string_equal(ask(&old, "mark t 0"), "ok");
  if (beside) {
    assert_string_equal(ask(&new, "put kept fine v"), "ok");
    assert_string_equal(ask(&new, "put gone u v"), "ok");
    assert_string_equal(ask(&old, "mark u 0"), "ok");
    assert_string_equal(ask(&old, "mark late 3600000"), "ok");
    murder(&new);
  }
  murder(&old);
  return before;
}

static void the_next_release_takes_the_marks_over(void **state) {
  (void)state;
  for (int beside = 0; beside < 2; beside++) {
    char *dir = test_dir_make();
    int64_t before = leave_an_old_one(dir, beside);
    release new = start(NEW, dir, 16);
    assert_false(exists(dir, "v1/index"));
    assert_string_equal(judge(&new, "t", before), "miss");
    assert_string_equal(judge(&new, "other", before), "ok");
    assert_int_equal(limit_mb(&new), 16); /* alone: all of it */
    assert_int_equal(atoi(ask(&new, "told")), 0);
    end(&new);
    test_dir_remove(dir);
  }
}

static void a_running_one_takes_them_over_and_keeps_its_entries(void **state) {
  (void)state;
  char *dir = test_dir_make();
  int64_t before = wall_ms();
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16), other = start(NEW, dir, 16);
  assert_comes(&new, "put kept fine v", "ok");
  assert_string_equal(ask(&new, "put gone u v"), "ok");
  assert_string_equal(ask(&new, "put stale s v"), "ok");
  assert_string_equal(ask(&new, "begin"), "ok");
  assert_string_equal(ask(&old, "mark u 0"), "ok");
  assert_string_equal(ask(&old, "mark s 3600000"), "ok");
  murder(&old);
  for (int tries = 0; tries < 250 && exists(dir, "v1/index"); tries++) {
    (void)ask(&new, "get kept");
    (void)ask(&other, "get kept");
    usleep(20000);
  }
  assert_false(exists(dir, "v1/index"));
  release *const both[] = {&new, &other};
  for (int i = 0; i < 2; i++) {
    assert_string_equal(ask(both[i], "get kept"), "ok v");
    assert_string_equal(ask(both[i], "get gone"), "miss");
    assert_string_equal(ask(both[i], "get stale"), "stale v");
    assert_string_equal(judge(both[i], "u", before), "miss");
    assert_string_equal(judge(both[i], "fine", before), "ok");
    assert_int_equal(atoi(ask(both[i], "told")), 1);
  }
  assert_string_equal(ask(&new, "finish gone u late"), "born-dead");
  assert_string_equal(ask(&other, "mark fine 0"), "ok"); /* and goes on with its own */
  assert_string_equal(ask(&new, "get kept"), "miss");
  end(&new);
  end(&other);
  release alone = start(NEW, dir, 16);
  assert_int_equal(limit_mb(&alone), 16);
  assert_string_equal(judge(&alone, "fine", before), "miss");
  end(&alone);
  test_dir_remove(dir);
}

static void an_old_one_that_comes_back_believes_nothing_older(void **state) {
  (void)state;
  char *dir = test_dir_make();
  int64_t before = wall_ms();
  release new = start(NEW, dir, 16);
  assert_string_equal(ask(&new, "put k t v"), "ok");
  assert_string_equal(ask(&new, "mark t 0"), "ok");
  assert_string_equal(ask(&new, "put k t again"), "ok");
  release old = start(OLD, dir, 16);
  assert_string_equal(judge(&old, "t", before), "miss");
  assert_string_equal(judge(&old, "any", before), "miss");
  assert_string_equal(ask(&old, "put k t old"), "ok");
  assert_string_equal(ask(&old, "get k"), "ok old");
  assert_string_equal(ask(&new, "get k"), "miss"); /* its entries are given up */
  assert_string_equal(ask(&new, "put k t new"), "ok");
  assert_string_equal(ask(&old, "mark t 0"), "ok");
  assert_string_equal(ask(&new, "get k"), "miss");
  assert_string_equal(ask(&old, "get k"), "miss");
  assert_int_equal(limit_mb(&old), 8);
  assert_int_equal(limit_mb(&new), 8);
  end(&new);
  end(&old);
  test_dir_remove(dir);
}

static void an_old_one_alone_takes_all_of_the_bytes_back(void **state) {
  (void)state;
  char *dir = test_dir_make();
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16);
  assert_comes(&old, "put k t v", "ok");
  int64_t before = wall_ms();
  assert_string_equal(ask(&new, "mark t 0"), "ok");
  assert_int_equal(limit_mb(&old), 8);
  end(&new);
  end(&old);
  old = start(OLD, dir, 16);
  assert_int_equal(limit_mb(&old), 16);
  assert_int_equal(atoi(ask(&old, "told")), 0);
  assert_false(exists(dir, "v2/index"));
  assert_string_equal(judge(&old, "t", before), "miss"); /* the marks were its own all the time */
  assert_string_equal(judge(&old, "other", before), "ok");
  end(&old);
  test_dir_remove(dir);
}

static void a_removed_elder_takes_the_younger_along(void **state) {
  (void)state;
  char *dir = test_dir_make(), path[600];
  int64_t before = wall_ms();
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16);
  assert_comes(&new, "put k t v", "ok");
  assert_comes(&old, "put k t v", "ok");
  (void)snprintf(path, sizeof path, "%s/v1", dir);
  test_remove_tree(path);
  assert_comes(&new, "get k", "miss"); /* it looks every 100 ms */
  assert_string_equal(judge(&new, "any", before), "miss");
  assert_string_equal(ask(&old, "put k t again"), "ok");
  assert_string_equal(judge(&old, "any", before), "miss");
  assert_comes(&new, "put k t again", "ok");
  assert_string_equal(ask(&old, "mark t 0"), "ok");
  assert_string_equal(ask(&new, "get k"), "miss");
  end(&old);
  end(&new);
  test_dir_remove(dir);
}

/* What one process noticed, all know at once, though their marks are in another index. */
static void a_removed_younger_one_is_over_for_all_at_once(void **state) {
  (void)state;
  char *dir = test_dir_make(), path[600];
  release old = start(OLD, dir, 16), new = start(NEW, dir, 16), other = start(NEW, dir, 16);
  (void)snprintf(path, sizeof path, "%s/v2", dir);
  assert_comes(&old, "put k t v", "ok");
  for (int round = 0; round < 5; round++) {
    assert_comes(&new, "put k t v", "ok");
    assert_string_equal(ask(&other, "get k"), "ok v");
    assert_string_equal(ask(&other, "get k"), "ok v"); /* from memory */
    test_remove_tree(path);
    assert_string_equal(ask(&new, "put other t v"), "ok");
    assert_string_equal(ask(&other, "get k"), "miss");
  }
  assert_string_equal(ask(&old, "get k"), "ok v");
  end(&old);
  end(&new);
  end(&other);
  test_dir_remove(dir);
}

static void a_damaged_sibling_is_in_nobody_s_way(void **state) {
  (void)state;
  static const char *const names[] = {"v1", "v2"};
  for (int i = 0; i < 2; i++) {
    char *dir = test_dir_make(), path[600];
    int64_t before = wall_ms();
    (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/%s/index", dir, names[i]);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    release r = start(i == 0 ? NEW : OLD, dir, 16);
    assert_string_equal(ask(&r, "put k t v"), "ok");
    assert_string_equal(ask(&r, "get k"), "ok v");
    /* What the younger one knew of marks cannot be read. */
    if (i == 1) assert_string_equal(judge(&r, "t", before), "miss");
    assert_false(exists(dir, i == 0 ? "v1/index" : "v2/index"));
    end(&r);
    test_dir_remove(dir);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_release_reads_its_own),
      cmocka_unit_test(a_mark_of_either_reaches_both),
      cmocka_unit_test(build_output_obeys_the_marks_of_the_other),
      cmocka_unit_test(both_share_the_larger_bound_and_say_so_once),
      cmocka_unit_test(a_clear_of_either_clears_both),
      cmocka_unit_test(the_next_release_takes_the_marks_over),
      cmocka_unit_test(a_running_one_takes_them_over_and_keeps_its_entries),
      cmocka_unit_test(an_old_one_that_comes_back_believes_nothing_older),
      cmocka_unit_test(an_old_one_alone_takes_all_of_the_bytes_back),
      cmocka_unit_test(a_removed_elder_takes_the_younger_along),
      cmocka_unit_test(a_removed_younger_one_is_over_for_all_at_once),
      cmocka_unit_test(a_damaged_sibling_is_in_nobody_s_way),
  };
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
