/* test_admin.c - a view sees what is there, says why it cannot, and moves nothing. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nextcache_admin.h"

#define TAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- the rig --------------------------------------------------------------------- */

typedef struct rig {
  char *dir;
  nxc_cache *cache;
} rig;

/* A view judges by the real time, so the test's clock stands there. */
static int set_up(void **state) {
  rig *r = calloc(1, sizeof *r);
  test_clock_set((int64_t)time(NULL) * 1000);
  r->dir = test_dir_make();
  r->cache = test_open(r->dir);
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

static nxc_view *view_of(const char *dir) {
  nxc_view *view;
  char problem[512] = "";
  int rc = nxc_view_open(&view, dir, problem, sizeof problem);
  if (rc != NXC_OK) fail_msg("%d: %s", rc, problem);
  return view;
}

/* The result of opening a view that must fail, and that it says `words`. */
static int refusal(const char *dir, const char *words) {
  nxc_view *view;
  char problem[512] = "";
  int rc = nxc_view_open(&view, dir, problem, sizeof problem);
  assert_null(view);
  if (!strstr(problem, words)) fail_msg("\"%s\" does not say \"%s\"", problem, words);
  assert_non_null(strstr(problem, dir));
  assert_null(strchr(problem, '\n'));
  return rc;
}

static char *path_of(const char *dir, const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

/* The data file. */
static char *data_path(const char *dir) {
  static char path[4096];
  DIR *d = opendir(path_of(dir, "v1"));
  for (struct dirent *e; (e = readdir(d));) {
    if (strncmp(e->d_name, "data-", 5) == 0) {
      snprintf(path, sizeof path, "%s/v1/%s", dir, e->d_name);
    }
  }
  closedir(d);
  return path;
}

/* ---- what it does not open --------------------------------------------------------- */

static void where_nothing_is_nothing_is_made(void **state) {
  (void)state;
  char *dir = test_dir_make();
  uint32_t uid, gid;
  assert_int_equal(refusal(path_of(dir, "nowhere"), "no such directory"), NXC_MISS);
  assert_int_equal(refusal(dir, "no cache is there"), NXC_MISS);
  assert_int_equal(nxc_view_owner(dir, &uid, &gid), NXC_MISS);
  assert_int_equal(rmdir(dir), 0); /* it is still empty */
  free(dir);
}

static void a_newer_format_is_named(void **state) {
  (void)state;
  char *dir = test_dir_make();
  assert_int_equal(mkdir(path_of(dir, "v3"), 0700), 0);
  assert_int_equal(refusal(dir, "format 3"), NXC_E_NEWER);
  test_dir_remove(dir);
}

static void a_newer_index_is_named_and_left(void **state) {
  rig *r = *state;
  uint32_t version = 9;
  nxc_close(r->cache);
  r->cache = NULL;
  int fd = open(path_of(r->dir, "v1/index"), O_RDWR);
  assert_int_equal(pwrite(fd, &version, sizeof version, 8), sizeof version);
  close(fd);
  assert_int_equal(refusal(r->dir, "version 9"), NXC_E_NEWER);
  assert_int_equal(access(path_of(r->dir, "v1/index"), F_OK), 0);
}

static void a_damaged_index_is_left_as_it_is(void **state) {
  rig *r = *state;
  struct stat before, after;
  nxc_close(r->cache);
  r->cache = NULL;
  assert_int_equal(stat(path_of(r->dir, "v1/index"), &before), 0);
  int fd = open(path_of(r->dir, "v1/index"), O_RDWR);
  assert_int_equal(pwrite(fd, "XXXX", 4, 20), 4);
  close(fd);
  assert_int_equal(refusal(r->dir, "is damaged"), NXC_E_FORMAT);
  assert_int_equal(stat(path_of(r->dir, "v1/index"), &after), 0);
  assert_int_equal(after.st_ino, before.st_ino);
}

static void an_index_without_its_data_is_told(void **state) {
  rig *r = *state;
  nxc_close(r->cache);
  r->cache = NULL;
  assert_int_equal(unlink(data_path(r->dir)), 0);
  assert_int_equal(refusal(r->dir, "data file"), NXC_E_FORMAT);
}

static void another_users_cache_is_told(void **state) {
  rig *r = *state;
  uint32_t uid, gid;
  if (geteuid()) skip();
  assert_int_equal(chown(path_of(r->dir, "v1"), 4711, 4712), 0);
  assert_int_equal(nxc_view_owner(r->dir, &uid, &gid), NXC_OK);
  assert_int_equal(uid, 4711);
  assert_int_equal(gid, 4712);
  assert_int_equal(refusal(r->dir, "uid 4711"), NXC_E_IO);
  assert_int_equal(chown(path_of(r->dir, "v1"), 0, 0), 0);
}

/* ---- what it sees ------------------------------------------------------------------- */

typedef struct sights {
  size_t count;
  char text[512]; /* key:result:why ... */
  nxc_seen last;
  size_t stop_after;
} sights;

static int note(void *arg, const nxc_seen *seen) {
  sights *s = arg;
  nxc_record record = {.key = {"?", 1}};
  if (seen->entry) nxc_entry_read(seen->entry, &record);
  size_t n = strlen(s->text);
  snprintf(s->text + n, sizeof s->text - n, "%s%.*s:%d:%d%s", n ? " " : "", (int)record.key.size,
           (const char *)record.key.data, seen->result, seen->why, seen->used ? ":used" : "");
  s->last = *seen;
  assert_int_equal(seen->number, s->count);
  return ++s->count != s->stop_after;
}

static void entries_come_in_order_with_their_verdict(void **state) {
  rig *r = *state;
  nxc_slice part = slice("x");
  nxc_record old = test_record(slice("old"), &part);
  old.created_ms = test_clock_now(NULL) - 10000;
  old.revalidate_ms = 1000;
  assert_int_equal(nxc_put(r->cache, &old), NXC_OK);
  test_put(r->cache, "fresh", "1", NULL);
  test_put(r->cache, "stale", "2", TAGS("soft"));
  test_put(r->cache, "dead", "3", TAGS("hard", "soft"));
  test_put(r->cache, "gone", "4", NULL);
  nxc_remove(r->cache, slice("gone"));
  test_mark(r->cache, "soft", NXC_NEVER);
  test_mark(r->cache, "hard", 0);
  test_get(r->cache, "stale");

  nxc_view *view = view_of(r->dir);
  sights s = {.count = 0};
  assert_int_equal(nxc_view_each(view, note, &s), NXC_OK);
  assert_string_equal(s.text, "old:1:3 fresh:0:0 stale:1:2:used dead:2:2");
  assert_string_equal(s.last.why_tag, "hard");
  assert_int_equal(s.last.count, 4);
  assert_int_equal(s.last.disk_bytes % 64, 0);
  s = (sights){.stop_after = 2};
  nxc_view_each(view, note, &s);
  assert_int_equal(s.count, 2);
  nxc_view_close(view);
}

static void looking_moves_nothing(void **state) {
  rig *r = *state;
  test_put(r->cache, "key", "value", TAGS("tag"));
  nxc_stats before = test_stats(r->cache);
  nxc_view *view = view_of(r->dir);
  sights s = {.count = 0};
  nxc_seen seen;
  nxc_shape shape;
  nxc_view_each(view, note, &s);
  assert_int_equal(nxc_view_find(view, slice("key"), &seen), NXC_OK);
  assert_int_equal(seen.used, 0);
  nxc_entry_unref(seen.entry);
  nxc_view_shape(view, &shape);
  nxc_view_close(view);
  nxc_stats after = test_stats(r->cache);
  assert_memory_equal(&before, &after, sizeof before);
}

static void a_key_is_found_or_absent(void **state) {
  rig *r = *state;
  test_put(r->cache, "here", "value", TAGS("tag"));
  test_mark(r->cache, "tag", 0);
  nxc_view *view = view_of(r->dir);
  nxc_seen seen, listed;
  sights s = {.count = 0};
  assert_int_equal(nxc_view_find(view, slice("here"), &seen), NXC_MISS);
  assert_int_equal(seen.why, NXC_WHY_TAG);
  assert_non_null(seen.entry); /* a miss, and yet it is shown */
  nxc_view_each(view, note, &s);
  listed = s.last;
  assert_int_equal(listed.id, seen.id);
  nxc_entry_unref(seen.entry);
  assert_int_equal(nxc_view_find(view, slice("not here"), &seen), NXC_MISS);
  assert_int_equal(seen.why, NXC_WHY_ABSENT);
  assert_null(seen.entry);
  nxc_view_close(view);
}

static void damage_is_seen_and_can_be_forgotten(void **state) {
  rig *r = *state;
  test_put(r->cache, "key", "a value that is damaged", NULL);
  int fd = open(data_path(r->dir), O_RDWR);
  assert_int_equal(pwrite(fd, "XX", 2, 90), 2);
  close(fd);
  nxc_view *view = view_of(r->dir);
  sights s = {.count = 0};
  nxc_view_each(view, note, &s);
  assert_string_equal(s.text, "?:-6:6");
  nxc_seen seen = s.last;
  assert_null(seen.entry);
  assert_int_equal(test_stats(r->cache).corrupt, 0);
  assert_int_equal(nxc_view_forget(view, &seen), 1);
  assert_int_equal(nxc_view_forget(view, &seen), 0);
  assert_int_equal(test_stats(r->cache).corrupt, 1);
  s = (sights){.count = 0};
  nxc_view_each(view, note, &s);
  assert_int_equal(s.count, 0);
  nxc_view_close(view);
}

static void the_shape_is_that_of_the_cache(void **state) {
  rig *r = *state;
  test_put(r->cache, "a", "1", NULL);
  test_mark(r->cache, "tag", 0);
  nxc_view *view = view_of(r->dir);
  nxc_shape shape;
  nxc_view_shape(view, &shape);
  assert_int_equal(shape.limit_bytes, 8 * MB);
  assert_int_equal(shape.segment_bytes, MB);
  assert_int_equal(shape.segments, 8);
  assert_int_equal(shape.record_bytes, MB - 24);
  assert_int_equal(shape.slots_used, 1);
  assert_int_equal(shape.tag_rows_used, 1);
  assert_int_equal(shape.held_bytes, MB);
  assert_int_equal(strlen(shape.instance), 32);
  assert_non_null(strstr(data_path(r->dir), shape.instance));
  nxc_view_close(view);
}

static void marks_of_a_tag_are_told(void **state) {
  rig *r = *state;
  nxc_tag_marks marks;
  int64_t now = test_clock_now(NULL);
  test_mark(r->cache, "dead", 0);
  test_mark(r->cache, "stale", 60000);
  nxc_view *view = view_of(r->dir);
  assert_int_equal(nxc_view_tag(view, slice("dead"), &marks), NXC_OK);
  assert_int_equal(marks.dead_ms, now);
  assert_int_equal(marks.stale_ms, 0);
  assert_int_equal(nxc_view_tag(view, slice("stale"), &marks), NXC_OK);
  assert_int_equal(marks.dead_ms, 0);
  assert_int_equal(marks.stale_ms, now);
  assert_int_equal(marks.deadline_ms, now + 60000);
  assert_int_equal(nxc_view_tag(view, slice("never marked"), &marks), NXC_MISS);
  nxc_view_close(view);
}

static void a_view_is_over_when_the_cache_is_cleared(void **state) {
  rig *r = *state;
  nxc_view *view = view_of(r->dir);
  assert_int_equal(nxc_view_is_over(view), 0);
  assert_int_equal(nxc_clear(r->cache), NXC_OK);
  assert_int_equal(nxc_view_is_over(view), 1);
  nxc_view_close(view);
  view = view_of(r->dir);
  assert_int_equal(nxc_view_is_over(view), 0);
  nxc_view_close(view);
}

static void evictions_are_counted_for_all(void **state) {
  rig *r = *state;
  char key[16];
  nxc_stats total;
  static char body[100000];
  nxc_slice part = slice_of(body, sizeof body);
  for (int i = 0; i < 20; i++) {
    snprintf(key, sizeof key, "key %d", i);
    nxc_record record = test_record(slice(key), &part);
    assert_int_equal(nxc_put(r->cache, &record), NXC_OK);
  }
  uint64_t here = test_stats(r->cache).memory_evictions;
  assert_true(here > 0);
  nxc_close(r->cache);
  r->cache = test_open(r->dir);
  nxc_view *view = view_of(r->dir);
  nxc_view_stats(view, &total);
  assert_int_equal(total.memory_evictions, here);
  nxc_view_close(view);
}

/* ---- processes ------------------------------------------------------------------------ */

/* A child that opens, looks up a key twice, says so and waits to be ended. */
static int child(const char *dir, int told) {
  nxc_cache *cache = test_open(dir);
  test_get(cache, "key");
  test_get(cache, "nothing");
  if (write(told, "x", 1) != 1) return 1;
  for (;;) pause();
}

/* As child(), but with a tier that machines share, of which it tells. */
static int sharing_child(const char *dir, int told) {
  nxc_cache *cache = test_open(dir);
  nxc_remote now = {.gets = 3, .hits = 2, .processes = 1, .p99_us = 700, .unsure_ms = 100};
  int rc = nxc_remote_tell(cache, &now);
  now = (nxc_remote){
      .gets = 1, .processes = 1, .breaker_open = 1, .p99_us = 900, .unsent = 4, .unsure_ms = 60000};
  rc |= nxc_remote_tell(cache, &now);
  if (rc != NXC_OK || write(told, "x", 1) != 1) return 1;
  for (;;) pause();
}

static nxc_process process_of(const nxc_process *list, size_t count, pid_t pid) {
  for (size_t i = 0; i < count; i++) {
    if (list[i].pid == pid) return list[i];
  }
  fail_msg("process %d is not in the list of %zu", (int)pid, count);
  return (nxc_process){.pid = 0};
}

static void what_is_told_of_the_shared_tier_ends_with_its_process(void **state) {
  rig *r = *state;
  int told[2];
  char byte, descriptor[16];
  nxc_remote total;
  nxc_process *list;
  size_t count;
  nxc_view *view = view_of(r->dir);
  nxc_view_remote(view, &total);
  assert_int_equal(total.processes, 0);
  const nxc_remote here = {.gets = 10, .processes = 1, .ready = 1, .p99_us = 200, .unsure_ms = 5};
  assert_int_equal(nxc_remote_tell(r->cache, &here), NXC_OK);
  assert_int_equal(nxc_remote_tell(r->cache, NULL), NXC_E_INVALID);
  assert_int_equal(pipe(told), 0);
  snprintf(descriptor, sizeof descriptor, "%d", told[1]);
  pid_t pid = test_spawn((const char *const[]){"--sharing", r->dir, descriptor, NULL});
  assert_int_equal(read(told[0], &byte, 1), 1);

  nxc_view_remote(view, &total);
  assert_int_equal(total.gets, 14); /* counters rise */
  assert_int_equal(total.processes, 2);
  assert_int_equal(total.ready, 1);
  assert_int_equal(total.breaker_open, 1);
  assert_int_equal(total.unsent, 4);
  assert_int_equal(total.p99_us, 900); /* the worst of them */
  assert_in_range(total.unsure_ms, 60000, 180000);
  assert_int_equal(nxc_view_processes(view, &list, &count), NXC_OK);
  assert_int_equal(process_of(list, count, pid).remote.gets, 4);
  assert_int_equal(process_of(list, count, pid).remote.p99_us, 900);
  assert_int_equal(process_of(list, count, getpid()).remote.ready, 1);
  free(list);

  kill(pid, SIGKILL);
  test_wait(pid);
  nxc_view_remote(view, &total);
  assert_int_equal(total.gets, 14); /* what it counted stays, what it was does not */
  assert_int_equal(total.hits, 2);
  assert_int_equal(total.processes, 1);
  assert_int_equal(total.breaker_open + total.unsent, 0);
  assert_int_equal(total.p99_us, 200);
  assert_in_range(total.unsure_ms, 5, 50000);
  nxc_remote own;
  assert_int_equal(nxc_remote_get(r->cache, &own), NXC_OK);
  assert_int_equal(own.gets, 14);
  assert_int_equal(own.processes, 1);
  char *text = nxc_metrics_text(view, NULL, NULL, 0);
  assert_non_null(strstr(text, "\nnextcache_remote_gets_total 14\n"));
  assert_non_null(strstr(text, "\nnextcache_remote_ready 1\n"));
  assert_non_null(strstr(text, "\nnextcache_remote_latency_p99_seconds 0.0002\n"));
  free(text);
  text = nxc_metrics_text(NULL, r->cache, NULL, 0);
  assert_non_null(strstr(text, "\nnextcache_remote_processes 1\n"));
  free(text);
  assert_null(nxc_metrics_text(NULL, NULL, NULL, 0));
  nxc_view_close(view);
  close(told[0]);
  close(told[1]);
}

/* As threads of one process do, each with a tier of its own. */
static void handles_of_one_process_tell_together(void **state) {
  rig *r = *state;
  nxc_remote total;
  nxc_view *view = view_of(r->dir);
  nxc_cache *other = test_open(r->dir);
  const nxc_remote well = {.gets = 1, .processes = 1, .ready = 1, .p99_us = 200, .unsure_ms = 5};
  const nxc_remote ill = {.processes = 1, .unsent = 7, .p99_us = 90, .unsure_ms = 60000};
  assert_int_equal(nxc_remote_tell(other, &ill), NXC_OK);
  assert_int_equal(nxc_remote_tell(r->cache, &well), NXC_OK);
  assert_int_equal(nxc_remote_tell(r->cache, &well), NXC_OK);
  nxc_view_remote(view, &total);
  assert_int_equal(total.gets, 2);
  assert_int_equal(total.processes, 2);
  assert_int_equal(total.ready, 1);
  assert_int_equal(total.unsent, 7);
  assert_int_equal(total.p99_us, 200);
  assert_in_range(total.unsure_ms, 60000, 180000);
  nxc_close(other);
  assert_int_equal(nxc_remote_tell(r->cache, &well), NXC_OK);
  nxc_view_remote(view, &total);
  assert_int_equal(total.processes, 1);
  assert_int_equal(total.unsent, 0);
  nxc_view_close(view);
}

/* What localedef makes of LC_NUMERIC where a half is written 0,5. */
static const unsigned char with_commas[] =
    "\x14\x11\x03\x20\x06\0\0\0\x20\0\0\0\x22\0\0\0\x23\0\0\0\x24\0\0\0\x28\0\0\0\x2c\0\0\0"
    ",\0\0\0,\0\0\0\0\0\0\0ANSI_X3.4-1968";

static bool set_locale_with_commas(const char *dir) {
  char path[300];
  snprintf(path, sizeof path, "%s/xx_XX", dir);
  assert_int_equal(mkdir(path, 0700), 0);
  snprintf(path, sizeof path, "%s/xx_XX/LC_NUMERIC", dir);
  FILE *f = fopen(path, "w");
  assert_int_equal(fwrite(with_commas, 1, sizeof with_commas, f), sizeof with_commas);
  assert_int_equal(fclose(f), 0);
  setenv("LOCPATH", dir, 1);
  bool set = setlocale(LC_NUMERIC, "xx_XX");
  unsetenv("LOCPATH");
  return set;
}

/* A program in C may have set the language of its user. */
static void metrics_are_the_same_in_every_language(void **state) {
  rig *r = *state;
  char half[8];
  nxc_view *view = view_of(r->dir);
  if (!set_locale_with_commas(r->dir)) skip(); /* musl has one locale */
  snprintf(half, sizeof half, "%.1f", 0.5);
  assert_string_equal(half, "0,5");
  char *text = nxc_metrics_text(view, NULL, NULL, 0);
  assert_non_null(strstr(text, "\nnextcache_put_seconds{quantile=\"0.5\"} 0.0"));
  free(text);
  snprintf(half, sizeof half, "%.1f", 0.5);
  assert_string_equal(half, "0,5"); /* it is the program's still */
  setlocale(LC_NUMERIC, "C");
  nxc_view_close(view);
}

static void processes_are_named_with_their_counters(void **state) {
  rig *r = *state;
  int told[2];
  char byte, descriptor[16];
  test_put(r->cache, "key", "value", NULL);
  assert_int_equal(pipe(told), 0);
  snprintf(descriptor, sizeof descriptor, "%d", told[1]);
  pid_t pid = test_spawn((const char *const[]){"--child", r->dir, descriptor, NULL});
  assert_int_equal(read(told[0], &byte, 1), 1);

  nxc_view *view = view_of(r->dir);
  nxc_process *list;
  size_t count;
  nxc_stats total;
  assert_int_equal(nxc_view_processes(view, &list, &count), NXC_OK);
  assert_int_equal(count, 2); /* the child and this one's cache, but not its view */
  assert_int_equal(process_of(list, count, getpid()).stats.memory_items, 1);
  nxc_process other = process_of(list, count, pid);
  assert_non_null(strstr(other.command, "--child"));
  assert_int_equal(test_sum(other.stats.disk_hits), 1);
  assert_int_equal(test_sum(other.stats.misses), 1);
  assert_int_equal(test_sum(other.stats.puts), 0);
  assert_int_equal(other.stats.memory_items, 1);
  assert_int_equal(other.stats.memory_limit_bytes, MB);
  nxc_view_stats(view, &total);
  assert_int_equal(total.memory_items, 2); /* one here, one there */
  assert_int_equal(total.memory_limit_bytes, 2 * MB);
  free(list);

  kill(pid, SIGKILL);
  test_wait(pid);
  assert_int_equal(nxc_view_processes(view, &list, &count), NXC_OK);
  assert_int_equal(count, 1);
  nxc_view_stats(view, &total);
  assert_int_equal(test_sum(total.disk_hits), 1); /* what the dead one counted stays */
  assert_int_equal(total.disk_limit_bytes, 8 * MB);
  assert_int_equal(total.memory_items, 1); /* what it had does not */
  free(list);
  nxc_view_close(view);
  close(told[0]);
  close(told[1]);
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "--child") == 0) return child(argv[2], atoi(argv[3]));
  if (argc == 4 && strcmp(argv[1], "--sharing") == 0) return sharing_child(argv[2], atoi(argv[3]));
#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(where_nothing_is_nothing_is_made),
      cmocka_unit_test(a_newer_format_is_named),
      WITH_CACHE(a_newer_index_is_named_and_left),
      WITH_CACHE(a_damaged_index_is_left_as_it_is),
      WITH_CACHE(an_index_without_its_data_is_told),
      WITH_CACHE(another_users_cache_is_told),
      WITH_CACHE(entries_come_in_order_with_their_verdict),
      WITH_CACHE(looking_moves_nothing),
      WITH_CACHE(a_key_is_found_or_absent),
      WITH_CACHE(damage_is_seen_and_can_be_forgotten),
      WITH_CACHE(the_shape_is_that_of_the_cache),
      WITH_CACHE(marks_of_a_tag_are_told),
      WITH_CACHE(a_view_is_over_when_the_cache_is_cleared),
      WITH_CACHE(evictions_are_counted_for_all),
      WITH_CACHE(handles_of_one_process_tell_together),
      WITH_CACHE(metrics_are_the_same_in_every_language),
      WITH_CACHE(processes_are_named_with_their_counters),
      WITH_CACHE(what_is_told_of_the_shared_tier_ends_with_its_process),
  };
#undef WITH_CACHE
  return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
