/* test_async.c - the calls of nextcache_uv.h on a loop of its own.
 *
 * A record of more than 128 KB is never read inside the call, and one that is larger
 * than the memory tier is not kept there: the segments are made large enough for one,
 * and a get of it is pending for sure.
 */
#include "support.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nextcache_uv.h"

#define LARGE (MB + MB / 2)

typedef struct rig {
  uv_loop_t loop;
  char *dir;
  nxc_cache *cache;
} rig;

static int set_up(void **state, bool disk) {
  test_clock_set(TEST_EPOCH_MS);
  rig *r = calloc(1, sizeof *r);
  assert_int_equal(uv_loop_init(&r->loop), 0);
  r->dir = disk ? test_dir_make() : NULL;
  nxc_options options = test_options(r->dir);
  if (disk) options.disk_bytes = 128 * MB;
  r->cache = test_open_with(&options);
  *state = r;
  return 0;
}

static int on_disk(void **state) {
  return set_up(state, true);
}

static int on_memory(void **state) {
  return set_up(state, false);
}

static int tear_down(void **state) {
  rig *r = *state;
  assert_int_equal(uv_run(&r->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&r->loop), 0);
  nxc_close(r->cache);
  test_dir_remove(r->dir);
  free(r);
  return 0;
}

/* ---- what callbacks leave behind ------------------------------------------------- */

typedef struct answer {
  int calls;
  int result;
  int order; /* the how-manieth callback of the test this was */
  nxc_why why;
  size_t size;
  char first;
} answer;

static int callbacks;

static void on_done(void *arg, int result) {
  answer *a = arg;
  a->calls++;
  a->result = result;
  a->order = ++callbacks;
}

static void take(answer *a, int result, const nxc_found *found) {
  a->result = result;
  a->why = found->why;
  if (!found->entry) return;
  nxc_slice part = nxc_entry_part(found->entry, 0);
  a->size = part.size;
  a->first = part.size ? *(const char *)part.data : '\0';
  nxc_entry_unref(found->entry);
}

static void on_got(void *arg, int result, nxc_found *found) {
  answer *a = arg;
  on_done(a, result);
  take(a, result, found);
}

static void run(rig *r) {
  assert_int_equal(uv_run(&r->loop, UV_RUN_DEFAULT), 0);
}

/* What the call itself answered: then there must be no callback. */
static int get_soft(rig *r, const char *key, const char *soft_tag, answer *a) {
  nxc_slice soft = soft_tag ? slice(soft_tag) : slice("");
  nxc_query query = {.key = slice(key), .soft_tags = &soft, .soft_tag_count = soft_tag != NULL};
  nxc_found found;
  *a = (answer){.result = NXC_PENDING};
  int result = nxc_uv_get(&r->loop, r->cache, &query, &found, on_got, a);
  if (result >= 0 && result != NXC_PENDING) take(a, result, &found);
  return result;
}

static int get(rig *r, const char *key, answer *a) {
  return get_soft(r, key, NULL, a);
}

/* Also where a worker reads: how large a record is, is only a hint while puts overlap. */
static int get_in_the_end(rig *r, const char *key, answer *a) {
  int result = get(r, key, a);
  if (result != NXC_PENDING) return result;
  run(r);
  return a->result;
}

static nxc_entry *entry_of(rig *r, const char *key, char fill, size_t size, const char *tag) {
  char *bytes = malloc(size + 1);
  memset(bytes, fill, size);
  nxc_slice part = slice_of(bytes, size), tag_slice = slice(tag);
  nxc_record record = test_record(slice(key), &part);
  record.tags = &tag_slice;
  record.tag_count = 1;
  nxc_entry *entry = NULL;
  assert_int_equal(nxc_entry_create(r->cache, &record, &entry), NXC_OK);
  free(bytes);
  return entry;
}

/* Puts and waits. */
static void put(rig *r, const char *key, char fill, size_t size, const char *tag) {
  nxc_entry *entry = entry_of(r, key, fill, size, tag);
  assert_true(nxc_put_entry(r->cache, entry) >= 0);
  nxc_entry_unref(entry);
}

/* What is answered at once, as a small put may be, is as good as called back. */
static int start_put(rig *r, const char *key, char fill, size_t size, answer *a) {
  nxc_entry *entry = entry_of(r, key, fill, size, "tag");
  *a = (answer){.result = NXC_PENDING};
  int result = nxc_uv_put(&r->loop, r->cache, entry, on_done, a);
  nxc_entry_unref(entry); /* the call holds a reference of its own */
  if (result != NXC_PENDING) a->result = result;
  return result;
}

/* ---- get ------------------------------------------------------------------------------ */

static void what_needs_no_disk_is_answered_at_once(void **state) {
  rig *r = *state;
  answer a;
  assert_int_equal(get(r, "nothing", &a), NXC_MISS);
  assert_int_equal(a.why, NXC_WHY_ABSENT);
  put(r, "key", 'x', 100, "tag");
  assert_int_equal(get(r, "key", &a), NXC_OK);
  assert_int_equal(a.first, 'x');
  test_mark(r->cache, "tag", 1000);
  assert_int_equal(get(r, "key", &a), NXC_STALE);
  test_mark(r->cache, "tag", 0);
  assert_int_equal(get(r, "key", &a), NXC_MISS);
  run(r);
  assert_int_equal(a.calls, 0);
}

static void a_warm_record_is_read_inside_the_call(void **state) {
  rig *r = *state;
  answer a;
  put(r, "key", 'x', 5000, "tag");
  nxc_set_memory(r->cache, 0, 0);
  assert_int_equal(get(r, "key", &a), NXC_OK);
  assert_int_equal(a.size, 5000);
  run(r);
  assert_int_equal(a.calls, 0);
}

/* The stamp of a fresh hit. */
static void stamp_of(rig *r, const char *key, uint64_t stamp[4]) {
  nxc_query query = {.key = slice(key)};
  nxc_found found;
  answer a;
  assert_int_equal(nxc_uv_get(&r->loop, r->cache, &query, &found, on_got, &a), NXC_OK);
  nxc_entry_unref(found.entry);
  memcpy(stamp, found.stamp, sizeof found.stamp);
}

static void a_stamp_holds_until_something_changes(void **state) {
  rig *r = *state;
  uint64_t stamp[4], other[4];
  put(r, "key", 'x', 50, "tag");
  put(r, "other", 'x', 50, "tag");
  stamp_of(r, "key", stamp);
  stamp_of(r, "other", other);
  assert_int_equal(nxc_uv_unchanged(r->cache, 7, stamp), 1);
  assert_int_equal(test_stats(r->cache).memory_hits[7], 1);

  put(r, "key", 'y', 50, "tag");
  assert_int_equal(nxc_uv_unchanged(r->cache, 7, stamp), 0);
  assert_int_equal(nxc_uv_unchanged(r->cache, 7, other), 1);
  stamp_of(r, "key", stamp);
  test_mark(r->cache, "another tag", 0);
  assert_int_equal(nxc_uv_unchanged(r->cache, 7, stamp), 0);
  stamp_of(r, "key", stamp);
  assert_int_equal(nxc_remove(r->cache, slice("key")), NXC_OK);
  assert_int_equal(nxc_uv_unchanged(r->cache, 7, stamp), 0);
  stamp_of(r, "other", other);
  assert_int_equal(nxc_clear(r->cache), NXC_OK);
  assert_int_equal(nxc_uv_unchanged(r->cache, 7, other), 0);
  assert_int_equal(test_stats(r->cache).memory_hits[7], 2);
}

static void only_what_is_fresh_has_a_stamp(void **state) {
  rig *r = *state;
  uint64_t stamp[4];
  put(r, "key", 'x', 50, "tag");
  stamp_of(r, "key", stamp);
  for (int i = 0; i < 3; i++) { /* a word of another slot, store or time */
    uint64_t wrong[4];
    memcpy(wrong, stamp, sizeof wrong);
    wrong[i] = i == 1 ? UINT64_MAX : wrong[i] + 1;
    assert_int_equal(nxc_uv_unchanged(r->cache, 0, wrong), 0);
  }
  assert_int_equal(nxc_uv_unchanged(r->cache, NXC_CLASSES, stamp), 0);
  assert_int_equal(nxc_uv_unchanged(r->cache, 0, NULL), 0);
  assert_int_equal(nxc_uv_unchanged(NULL, 0, stamp), 0);

  nxc_slice tag = slice("tag");
  assert_int_equal(nxc_mark(r->cache, &tag, 1, 60000), NXC_OK);
  nxc_query query = {.key = slice("key")};
  nxc_found found;
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_STALE);
  nxc_entry_unref(found.entry);
  assert_int_equal(found.stamp[1], 0);
  assert_int_equal(nxc_uv_unchanged(r->cache, 0, found.stamp), 0);
}

static void without_a_disk_there_is_no_stamp(void **state) {
  rig *r = *state;
  uint64_t stamp[4];
  put(r, "key", 'x', 50, "tag");
  stamp_of(r, "key", stamp);
  assert_int_equal(nxc_uv_unchanged(r->cache, 0, stamp), 0);
}

static void a_large_record_comes_through_the_callback(void **state) {
  rig *r = *state;
  answer a;
  put(r, "key", 'x', LARGE, "tag");
  assert_int_equal(get(r, "key", &a), NXC_PENDING);
  assert_int_equal(a.calls, 0);
  run(r);
  assert_int_equal(a.calls, 1);
  assert_int_equal(a.result, NXC_OK);
  assert_int_equal(a.size, LARGE);
  assert_int_equal(a.first, 'x');
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(test_sum(stats.disk_hits), 1);
  assert_int_equal(test_sum(stats.misses), 0);
}

static void the_query_is_copied(void **state) {
  rig *r = *state;
  answer a = {.calls = 0};
  put(r, "key", 'x', LARGE, "tag");
  test_mark(r->cache, "soft", 0);
  char *key = strdup("key"), *soft = strdup("soft");
  nxc_slice *tags = malloc(sizeof *tags);
  *tags = slice(soft);
  nxc_query *query = malloc(sizeof *query);
  *query = (nxc_query){.key = slice(key), .soft_tags = tags, .soft_tag_count = 1};
  nxc_found found;
  assert_int_equal(nxc_uv_get(&r->loop, r->cache, query, &found, on_got, &a), NXC_PENDING);
  memset(key, 'z', 3);
  memset(soft, 'z', 4);
  free(key);
  free(soft);
  free(tags);
  free(query);
  run(r);
  assert_int_equal(a.result, NXC_MISS);
  assert_int_equal(a.why, NXC_WHY_TAG);
}

static void gets_of_one_key_share_one_read(void **state) {
  rig *r = *state;
  answer a[10];
  put(r, "key", 'x', LARGE, "tag");
  for (int i = 0; i < 10; i++) assert_int_equal(get(r, "key", &a[i]), NXC_PENDING);
  run(r);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(a[i].calls, 1);
    assert_int_equal(a[i].result, NXC_OK);
    assert_int_equal(a[i].size, LARGE);
  }
  nxc_stats stats = test_stats(r->cache);
  assert_true(stats.bytes_read >= LARGE && stats.bytes_read < 2 * LARGE);
  assert_int_equal(test_sum(stats.disk_hits), 10);
}

static void each_of_them_is_judged_by_its_own_soft_tags(void **state) {
  rig *r = *state;
  answer a[3];
  put(r, "key", 'x', LARGE, "tag");
  test_mark(r->cache, "dead", 0);
  test_mark(r->cache, "stale", 60000);
  assert_int_equal(get_soft(r, "key", "dead", &a[0]), NXC_PENDING);
  assert_int_equal(get_soft(r, "key", "stale", &a[1]), NXC_PENDING);
  assert_int_equal(get_soft(r, "key", "unmarked", &a[2]), NXC_PENDING);
  run(r);
  assert_int_equal(a[0].result, NXC_MISS);
  assert_int_equal(a[1].result, NXC_STALE);
  assert_int_equal(a[2].result, NXC_OK);
}

/* Two gets that may share a read, and a put between them. */
static void assert_the_second_sees_it(rig *r, bool clears) {
  answer before, after;
  put(r, "key", 'a', LARGE, "tag");
  assert_int_equal(get(r, "key", &before), NXC_PENDING);
  if (clears) assert_int_equal(nxc_clear(r->cache), NXC_OK);
  put(r, "key", 'b', LARGE, "tag");
  assert_int_equal(get(r, "key", &after), NXC_PENDING);
  run(r);
  assert_int_equal(after.calls, 1);
  assert_int_equal(after.result, NXC_OK);
  assert_int_equal(after.first, 'b');
  assert_int_equal(before.calls, 1);
}

/* A get that was called after a put had returned must not be given what a read
 * that began before the put has found. */
static void a_joined_get_never_sees_less_than_it_should(void **state) {
  for (int round = 0; round < 20; round++) assert_the_second_sees_it(*state, false);
}

/* In what was cleared nothing changes any more, so its words hold for ever. */
static void a_joined_get_sees_nothing_from_before_a_clear(void **state) {
  for (int round = 0; round < 20; round++) assert_the_second_sees_it(*state, true);
}

static void a_mark_while_it_reads_is_obeyed(void **state) {
  rig *r = *state;
  answer a;
  put(r, "key", 'x', LARGE, "tag");
  assert_int_equal(get(r, "key", &a), NXC_PENDING);
  test_mark(r->cache, "tag", 0);
  run(r);
  assert_int_equal(a.calls, 1);
  assert_int_equal(a.result, NXC_MISS);
  assert_int_equal(a.why, NXC_WHY_TAG);
}

/* ---- put --------------------------------------------------------------------------------- */

static void a_put_is_seen_when_its_callback_runs(void **state) {
  rig *r = *state;
  answer put_answer, a;
  assert_int_equal(start_put(r, "key", 'x', 300000, &put_answer), NXC_PENDING);
  run(r);
  assert_int_equal(put_answer.calls, 1);
  assert_int_equal(put_answer.result, NXC_OK);
  assert_int_equal(get(r, "key", &a), NXC_OK);
  assert_int_equal(a.first, 'x');
}

/* Where the file system can tell that nothing has to be waited for. */
static void a_small_put_is_seen_when_it_is_answered(void **state) {
  rig *r = *state;
  for (int i = 0; i < 100; i++) {
    answer put_answer, a;
    int rc = start_put(r, "key", (char)('a' + i % 26), 3000, &put_answer);
    if (rc == NXC_PENDING) run(r);
    assert_int_equal(put_answer.calls, rc == NXC_PENDING);
    assert_int_equal(put_answer.result, NXC_OK);
    assert_int_equal(get(r, "key", &a), NXC_OK);
    assert_int_equal(a.first, 'a' + i % 26);
  }
}

static void without_a_disk_a_put_is_answered_at_once(void **state) {
  rig *r = *state;
  answer put_answer, a;
  assert_int_equal(start_put(r, "key", 'x', 3000, &put_answer), NXC_MEMORY_ONLY);
  assert_int_equal(get(r, "key", &a), NXC_OK);
  run(r);
  assert_int_equal(put_answer.calls, 0);
}

static void puts_of_one_key_keep_their_order(void **state) {
  rig *r = *state;
  for (int round = 0; round < 50; round++) {
    answer puts[8], a;
    int calls[8];
    for (int i = 0; i < 8; i++) {
      /* The first ones are large, so that a later one overtakes them. */
      size_t size = i < 4 ? 400000 : 10;
      int rc = start_put(r, "key", (char)('a' + i), size, &puts[i]);
      assert_true(rc == NXC_PENDING || i >= 4);
      calls[i] = rc == NXC_PENDING;
    }
    run(r);
    for (int i = 0; i < 8; i++) {
      assert_int_equal(puts[i].calls, calls[i]);
      assert_true(puts[i].result == NXC_OK || puts[i].result == NXC_SUPERSEDED);
    }
    assert_int_equal(puts[7].result, NXC_OK);
    assert_int_equal(get(r, "key", &a), NXC_OK);
    assert_int_equal(a.first, 'h');
    nxc_set_memory(r->cache, 0, 0);
    assert_int_equal(get_in_the_end(r, "key", &a), NXC_OK);
    assert_int_equal(a.first, 'h');
    nxc_set_memory(r->cache, MB, 0);
  }
}

static void a_put_and_a_remove_keep_their_order(void **state) {
  rig *r = *state;
  for (int round = 0; round < 50; round++) {
    answer first, removed, second, a;
    assert_int_equal(start_put(r, "key", '1', 400000, &first), NXC_PENDING);
    removed = (answer){.calls = 0};
    assert_int_equal(nxc_uv_remove(&r->loop, r->cache, slice("key"), on_done, &removed),
                     NXC_PENDING);
    if (round % 2) assert_true(start_put(r, "key", '2', 10, &second) >= 0);
    run(r);
    assert_int_equal(removed.result, NXC_OK);
    assert_int_equal(get(r, "key", &a), round % 2 ? NXC_OK : NXC_MISS);
    if (round % 2) assert_int_equal(a.first, '2');
  }
}

static int put_together(rig *r, answer *a) {
  nxc_entry *entries[] = {entry_of(r, "key", '1', 400000, "tag"), NULL,
                          entry_of(r, "other", '2', 10, "tag")};
  *a = (answer){.result = NXC_PENDING};
  int result = nxc_uv_put_all(&r->loop, r->cache, entries, 3, on_done, a);
  nxc_entry_unref(entries[0]);
  nxc_entry_unref(entries[2]);
  return result;
}

static void puts_together_keep_their_order_with_others(void **state) {
  rig *r = *state;
  for (int round = 0; round < 50; round++) {
    answer together, later, a;
    assert_int_equal(put_together(r, &together), NXC_PENDING);
    assert_true(start_put(r, "key", '3', 10, &later) >= 0);
    run(r);
    assert_int_equal(together.calls, 1);
    assert_int_equal(together.result, NXC_OK);
    assert_int_equal(get(r, "key", &a), NXC_OK);
    assert_int_equal(a.first, '3');
    assert_int_equal(get(r, "other", &a), NXC_OK);
    assert_int_equal(a.first, '2');
  }
}

static void without_a_disk_puts_together_are_done_at_once(void **state) {
  rig *r = *state;
  answer together, a;
  assert_int_equal(put_together(r, &together), NXC_OK);
  assert_int_equal(get(r, "key", &a), NXC_OK);
  assert_int_equal(get(r, "other", &a), NXC_OK);
  assert_int_equal(nxc_uv_put_all(&r->loop, r->cache, NULL, 0, on_done, &together), NXC_OK);
  run(r);
  assert_int_equal(together.calls, 0);
}

/* ---- mark, remove, clear --------------------------------------------------------------------- */

static void a_mark_is_obeyed_before_it_is_durable(void **state) {
  rig *r = *state;
  answer marked = {.calls = 0}, a;
  nxc_slice tag = slice("tag");
  put(r, "key", 'x', 100, "tag");
  assert_int_equal(nxc_uv_mark(&r->loop, r->cache, &tag, 1, 0, on_done, &marked), NXC_PENDING);
  assert_int_equal(get(r, "key", &a), NXC_MISS);
  assert_int_equal(a.why, NXC_WHY_TAG);
  run(r);
  assert_int_equal(marked.calls, 1);
  assert_int_equal(marked.result, NXC_OK);
  assert_int_equal(test_stats(r->cache).marks, 1);
}

static void many_marks_at_once_are_all_called_back(void **state) {
  rig *r = *state;
  answer marked[100];
  for (int i = 0; i < 100; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "tag %d", i);
    nxc_slice tag = slice(name);
    marked[i] = (answer){.calls = 0};
    assert_int_equal(nxc_uv_mark(&r->loop, r->cache, &tag, 1, 0, on_done, &marked[i]), NXC_PENDING);
  }
  run(r);
  for (int i = 0; i < 100; i++) {
    assert_int_equal(marked[i].calls, 1);
    assert_int_equal(marked[i].result, NXC_OK);
  }
}

static void removing_and_clearing_call_back(void **state) {
  rig *r = *state;
  answer done = {.calls = 0}, a;
  put(r, "a", 'x', 100, "tag");
  put(r, "b", 'x', 100, "tag");
  /* Without a disk a remove has nothing to wait for. */
  int rc = nxc_uv_remove(&r->loop, r->cache, slice("a"), on_done, &done);
  run(r);
  assert_int_equal(rc, r->dir ? NXC_PENDING : NXC_OK);
  assert_int_equal(done.calls, r->dir ? 1 : 0);
  assert_int_equal(done.result, NXC_OK);
  assert_int_equal(get(r, "a", &a), NXC_MISS);
  assert_int_equal(get(r, "b", &a), NXC_OK);
  done = (answer){.calls = 0};
  assert_int_equal(nxc_uv_clear(&r->loop, r->cache, on_done, &done), NXC_PENDING);
  run(r);
  assert_int_equal(done.calls, 1);
  assert_int_equal(get(r, "b", &a), NXC_MISS);
}

/* ---- errors -------------------------------------------------------------------------------------- */

static void errors_in_the_arguments_are_returned(void **state) {
  rig *r = *state;
  answer a = {.calls = 0};
  nxc_found found;
  nxc_query query = {.key = slice("key")}, wrong = {.key = {NULL, 3}};
  nxc_slice tag = slice("tag");
  assert_int_equal(nxc_uv_get(NULL, r->cache, &query, &found, on_got, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_get(&r->loop, NULL, &query, &found, on_got, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_get(&r->loop, r->cache, NULL, &found, on_got, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_get(&r->loop, r->cache, &query, NULL, on_got, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_get(&r->loop, r->cache, &query, &found, NULL, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_get(&r->loop, r->cache, &wrong, &found, on_got, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_put(&r->loop, r->cache, NULL, on_done, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_put_all(&r->loop, r->cache, NULL, 1, on_done, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_mark(&r->loop, r->cache, &tag, 1, -1, on_done, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_mark(&r->loop, r->cache, NULL, 1, 0, on_done, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_remove(&r->loop, r->cache, wrong.key, on_done, &a), NXC_E_INVALID);
  assert_int_equal(nxc_uv_clear(&r->loop, r->cache, NULL, &a), NXC_E_INVALID);
  run(r);
  assert_int_equal(a.calls, 0);
}

#define ON(rig, test) \
  { #test "_" #rig, test, rig, tear_down, NULL }

int main(void) {
  const struct CMUnitTest tests[] = {
      ON(on_memory, what_needs_no_disk_is_answered_at_once),
      ON(on_disk, what_needs_no_disk_is_answered_at_once),
      ON(on_disk, a_warm_record_is_read_inside_the_call),
      ON(on_disk, a_stamp_holds_until_something_changes),
      ON(on_disk, only_what_is_fresh_has_a_stamp),
      ON(on_memory, without_a_disk_there_is_no_stamp),
      ON(on_disk, a_large_record_comes_through_the_callback),
      ON(on_disk, the_query_is_copied),
      ON(on_disk, gets_of_one_key_share_one_read),
      ON(on_disk, each_of_them_is_judged_by_its_own_soft_tags),
      ON(on_disk, a_joined_get_never_sees_less_than_it_should),
      ON(on_disk, a_joined_get_sees_nothing_from_before_a_clear),
      ON(on_disk, a_mark_while_it_reads_is_obeyed),
      ON(on_disk, a_put_is_seen_when_its_callback_runs),
      ON(on_disk, a_small_put_is_seen_when_it_is_answered),
      ON(on_memory, without_a_disk_a_put_is_answered_at_once),
      ON(on_disk, puts_of_one_key_keep_their_order),
      ON(on_disk, a_put_and_a_remove_keep_their_order),
      ON(on_disk, puts_together_keep_their_order_with_others),
      ON(on_memory, without_a_disk_puts_together_are_done_at_once),
      ON(on_disk, a_mark_is_obeyed_before_it_is_durable),
      ON(on_disk, many_marks_at_once_are_all_called_back),
      ON(on_memory, removing_and_clearing_call_back),
      ON(on_disk, removing_and_clearing_call_back),
      ON(on_memory, errors_in_the_arguments_are_returned),
      ON(on_disk, errors_in_the_arguments_are_returned),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
