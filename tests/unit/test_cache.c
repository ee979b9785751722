/* test_cache.c - the whole library through nextcache.h alone.
 *
 * Most tests run three times: on memory alone, on disk alone, and on both, for
 * where an entry lives must not change what is answered.
 */
#include "support.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- the rig ------------------------------------------------------------------- */

typedef struct rig {
  nxc_options options;
  char *dir; /* NULL: no disk */
  nxc_cache *cache;
} rig;

static int set_up(void **state, bool memory, bool disk) {
  test_clock_set(TEST_EPOCH_MS);
  rig *r = calloc(1, sizeof *r);
  r->dir = disk ? test_dir_make() : NULL;
  r->options = test_options(r->dir);
  if (!memory) r->options.memory_bytes = 0;
  r->cache = test_open_with(&r->options);
  *state = r;
  return 0;
}

static int on_memory(void **state) {
  return set_up(state, true, false);
}

static int on_disk(void **state) {
  return set_up(state, false, true);
}

static int on_both(void **state) {
  return set_up(state, true, true);
}

static int tear_down(void **state) {
  rig *r = *state;
  nxc_close(r->cache);
  test_dir_remove(r->dir);
  free(r);
  return 0;
}

static void reopen(rig *r) {
  nxc_close(r->cache);
  r->cache = test_open_with(&r->options);
}

static bool was_kept(int result) {
  return result == NXC_OK || result == NXC_MEMORY_ONLY;
}

static void put(rig *r, const char *key, const char *value, const char *const *tags) {
  int result = test_put(r->cache, key, value, tags);
  assert_int_equal(result, r->dir ? NXC_OK : NXC_MEMORY_ONLY);
}

static void assert_hit(rig *r, const char *key, const char *value) {
  test_answer answer = test_get(r->cache, key);
  assert_int_equal(answer.result, NXC_OK);
  assert_int_equal(answer.why, NXC_WHY_NONE);
  assert_string_equal(answer.value, value);
}

static void assert_miss(rig *r, const char *key, nxc_why why) {
  test_answer answer = test_get(r->cache, key);
  assert_int_equal(answer.result, NXC_MISS);
  assert_int_equal(answer.why, why);
}

/* A miss whose reason depends on which tier still remembers the entry. */
static void assert_gone(rig *r, const char *key) {
  assert_int_equal(test_get(r->cache, key).result, NXC_MISS);
}

static uint64_t hits(const nxc_stats *stats) {
  return test_sum(stats->memory_hits) + test_sum(stats->disk_hits);
}

/* ---- opening -------------------------------------------------------------------- */

static void the_defaults_are_those_of_the_header(void **state) {
  (void)state;
  nxc_options options;
  memset(&options, 0x5a, sizeof options);
  nxc_options_init(&options);
  assert_int_equal(options.struct_size, sizeof options);
  assert_null(options.dir);
  assert_int_equal(options.memory_bytes, 50 * MB);
  assert_int_equal(options.memory_items, 0);
  assert_int_equal(options.disk_bytes, 1024 * MB);
  assert_null(options.on_error);
  assert_null(options.now_ms);
}

static void wrong_options_are_refused(void **state) {
  (void)state;
  nxc_options options = test_options(NULL);
  nxc_cache *cache = NULL;
  assert_int_equal(nxc_open(NULL, &options), NXC_E_INVALID);
  assert_int_equal(nxc_open(&cache, NULL), NXC_E_INVALID);
  options.struct_size = 0;
  assert_int_equal(nxc_open(&cache, &options), NXC_E_INVALID);
  options = test_options(NULL);
  options.dir = "/tmp";
  options.disk_bytes = 8 * MB - 1;
  assert_int_equal(nxc_open(&cache, &options), NXC_E_INVALID);
  assert_null(cache);
}

static void closing_nothing_is_allowed(void **state) {
  (void)state;
  nxc_close(NULL);
}

static void a_new_cache_is_empty(void **state) {
  rig *r = *state;
  assert_miss(r, "/", NXC_WHY_ABSENT);
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(stats.disk, r->dir != NULL);
  assert_int_equal(hits(&stats), 0);
  assert_int_equal(test_sum(stats.misses), 1);
  assert_int_equal(test_sum(stats.puts), 0);
  assert_int_equal(stats.memory_items, 0);
  assert_int_equal(stats.memory_limit_bytes, r->options.memory_bytes);
}

/* ---- put and get ----------------------------------------------------------------- */

static void what_was_put_is_got(void **state) {
  rig *r = *state;
  put(r, "/products/1", "<html>", NULL);
  test_answer answer = test_get(r->cache, "/products/1");
  assert_int_equal(answer.result, NXC_OK);
  assert_string_equal(answer.value, "<html>");
  assert_true(answer.dead_at_ms == NXC_NEVER);
  assert_string_equal(answer.why_tag, "");
  assert_miss(r, "/products/2", NXC_WHY_ABSENT);
  assert_miss(r, "/products/", NXC_WHY_ABSENT);
  assert_miss(r, "", NXC_WHY_ABSENT);
}

static void a_get_tells_the_tier(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  bool memory = r->options.memory_bytes != 0;
  for (int i = 0; i < 3; i++) assert_int_equal(test_get(r->cache, "key").in_memory, memory);
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(test_sum(stats.memory_hits), memory ? 3 : 0);
  assert_int_equal(test_sum(stats.disk_hits), memory ? 0 : 3);
  assert_int_equal(stats.memory_items, memory ? 1 : 0);
}

static void the_last_put_wins(void **state) {
  rig *r = *state;
  for (int i = 0; i < 50; i++) {
    char value[32];
    (void)snprintf(value, sizeof value, "version %d", i);
    put(r, "key", value, NULL);
    assert_hit(r, "key", value);
  }
}

static void everything_of_a_record_comes_back(void **state) {
  rig *r = *state;
  nxc_slice tags[] = {slice("product:1"), slice(""), slice_of("nul\0tag", 7)};
  nxc_slice parts[] = {slice("<html>"), slice(""), slice_of("\0\1\2", 3)};
  uint64_t birth = nxc_birth(r->cache);
  nxc_record record = {
      .key = slice_of("a\0key", 5),
      .class_id = 15,
      .birth = birth,
      .created_ms = TEST_EPOCH_MS - 5000,
      .revalidate_ms = 60000,
      .expire_ms = 3600000,
      .tags = tags,
      .tag_count = 3,
      .meta = slice_of("m\0ta", 4),
      .parts = parts,
      .part_count = 3,
  };
  assert_true(was_kept(nxc_put(r->cache, &record)));
  nxc_query query = {.key = slice_of("a\0key", 5), .class_id = 15};
  nxc_found found;
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
  assert_true(found.dead_at_ms == TEST_EPOCH_MS - 5000 + 3600000);
  nxc_record read;
  nxc_entry_read(found.entry, &read);
  assert_int_equal(read.class_id, 15);
  assert_int_equal(read.birth, birth);
  assert_int_equal(read.created_ms, TEST_EPOCH_MS - 5000);
  assert_int_equal(read.revalidate_ms, 60000);
  assert_int_equal(read.expire_ms, 3600000);
  assert_int_equal(read.tag_count, 3);
  assert_int_equal(read.part_count, 3);
  assert_memory_equal(read.key.data, "a\0key", 5);
  assert_memory_equal(read.meta.data, "m\0ta", 4);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(nxc_entry_tag(found.entry, i).size, tags[i].size);
    assert_int_equal(nxc_entry_part(found.entry, i).size, parts[i].size);
  }
  assert_memory_equal(nxc_entry_part(found.entry, 2).data, "\0\1\2", 3);
  nxc_entry_unref(found.entry);
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(stats.puts[15], 1);
  assert_int_equal(stats.memory_hits[15] + stats.disk_hits[15], 1);
  assert_int_equal(test_sum(stats.puts), 1);
}

static void created_and_birth_are_filled_in(void **state) {
  rig *r = *state;
  test_mark(r->cache, "something", 0);
  put(r, "key", "value", NULL);
  nxc_query query = {.key = slice("key")};
  nxc_found found;
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
  nxc_record read;
  nxc_entry_read(found.entry, &read);
  assert_int_equal(read.created_ms, TEST_EPOCH_MS);
  assert_int_equal(read.birth, nxc_birth(r->cache));
  nxc_entry_unref(found.entry);
}

static void odd_keys_are_keys(void **state) {
  rig *r = *state;
  static const struct {
    const char *data;
    size_t size;
  } keys[] = {{"", 0},         {"\0", 1},       {"\0\0", 2},      {"../../etc/passwd", 16},
              {"/", 1},        {"a", 1},        {"a\0b", 3},      {"a\0c", 3},
              {"\xff\xfe", 2}, {"\xc3\xa9", 2}, {"e\xcc\x81", 3}, {"%2e%2e/", 7}};
  for (size_t i = 0; i < COUNT_OF(keys); i++) {
    unsigned char value = (unsigned char)i;
    nxc_slice part = slice_of(&value, 1);
    nxc_record record = test_record(slice_of(keys[i].data, keys[i].size), &part);
    assert_true(was_kept(nxc_put(r->cache, &record)));
  }
  for (size_t i = 0; i < COUNT_OF(keys); i++) {
    nxc_query query = {.key = slice_of(keys[i].data, keys[i].size)};
    nxc_found found;
    assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
    assert_int_equal(*(const unsigned char *)nxc_entry_part(found.entry, 0).data, i);
    nxc_entry_unref(found.entry);
  }
}

static void sizes_around_the_alignment_come_back(void **state) {
  rig *r = *state;
  unsigned char *bytes = malloc(70000);
  for (size_t i = 0; i < 70000; i++) bytes[i] = (unsigned char)(i * 31);
  static const size_t sizes[] = {0,   1,   7,    8,    9,    63,    64,    65,
                                 127, 128, 4095, 4096, 4097, 65535, 65536, 65537};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    nxc_slice part = slice_of(bytes, sizes[i]);
    nxc_record record = test_record(slice("key"), &part);
    assert_true(was_kept(nxc_put(r->cache, &record)));
    nxc_query query = {.key = slice("key")};
    nxc_found found;
    assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
    assert_int_equal(nxc_entry_part(found.entry, 0).size, sizes[i]);
    if (sizes[i]) assert_memory_equal(nxc_entry_part(found.entry, 0).data, bytes, sizes[i]);
    nxc_entry_unref(found.entry);
  }
  free(bytes);
}

static void wrong_arguments_are_refused(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  nxc_found found;
  nxc_query query = {.key = slice("key"), .class_id = NXC_CLASSES};
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_E_INVALID);
  query = (nxc_query){.key = {NULL, 3}};
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_E_INVALID);
  query = (nxc_query){.key = slice("key"), .soft_tags = NULL, .soft_tag_count = 1};
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_E_INVALID);
  assert_int_equal(nxc_get(r->cache, NULL, &found), NXC_E_INVALID);
  assert_int_equal(nxc_get(r->cache, &query, NULL), NXC_E_INVALID);
  assert_int_equal(nxc_get(NULL, &query, &found), NXC_E_INVALID);
  assert_int_equal(nxc_put(r->cache, NULL), NXC_E_INVALID);
  assert_int_equal(nxc_mark(r->cache, NULL, 1, 0), NXC_E_INVALID);
  nxc_slice tag = slice("tag");
  assert_int_equal(nxc_mark(r->cache, &tag, 1, -1), NXC_E_INVALID);
  assert_int_equal(nxc_remove(r->cache, (nxc_slice){NULL, 3}), NXC_E_INVALID);
  assert_int_equal(nxc_stats_get(r->cache, NULL), NXC_E_INVALID);
}

/* What is too large was meant to replace the old version, which must not outlive
 * it; wrong arguments were meant to do nothing. */
static void a_refused_put_removes_the_old_version(void **state) {
  rig *r = *state;
  put(r, "key", "old", NULL);
  nxc_slice part = slice("new");
  nxc_record record = test_record(slice("key"), &part);
  record.class_id = NXC_CLASSES;
  assert_int_equal(nxc_put(r->cache, &record), NXC_E_INVALID);
  assert_hit(r, "key", "old");

  char *huge = calloc(1, 3 * MB);
  part = slice_of(huge, 3 * MB);
  record = test_record(slice("key"), &part);
  assert_int_equal(nxc_put(r->cache, &record), NXC_E_TOO_LARGE);
  assert_gone(r, "key");
  assert_int_equal(test_stats(r->cache).refused, 1);
  free(huge);
}

static void removing_removes(void **state) {
  rig *r = *state;
  put(r, "a", "1", NULL);
  put(r, "b", "2", NULL);
  assert_int_equal(nxc_remove(r->cache, slice("a")), NXC_OK);
  assert_miss(r, "a", NXC_WHY_ABSENT);
  assert_hit(r, "b", "2");
  assert_int_equal(nxc_remove(r->cache, slice("a")), NXC_OK);
  assert_int_equal(nxc_remove(r->cache, slice("never there")), NXC_OK);
  put(r, "a", "3", NULL);
  assert_hit(r, "a", "3");
  assert_int_equal(test_stats(r->cache).removes, 3);
}

static void clearing_empties_everything(void **state) {
  rig *r = *state;
  for (int i = 0; i < 20; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key %d", i);
    put(r, key, "value", TAGS("tag"));
  }
  uint64_t birth = nxc_birth(r->cache);
  assert_int_equal(nxc_clear(r->cache), NXC_OK);
  for (int i = 0; i < 20; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key %d", i);
    assert_gone(r, key);
  }
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(stats.clears, 1);
  assert_int_equal(stats.memory_items, 0);
  assert_int_equal(test_sum(stats.puts), 20); /* totals never fall */
  put(r, "key 1", "new", TAGS("tag"));
  assert_hit(r, "key 1", "new");
  /* Work that began before the clearing is not believed after it. */
  nxc_slice part = slice("late"), tag = slice("tag");
  nxc_record record = test_record(slice("late"), &part);
  record.birth = birth;
  record.tags = &tag;
  record.tag_count = 1;
  assert_int_equal(nxc_put(r->cache, &record), NXC_BORN_DEAD);
  assert_gone(r, "late");
}

/* ---- entries ------------------------------------------------------------------------ */

static void an_entry_is_built_in_two_steps(void **state) {
  rig *r = *state;
  nxc_slice parts[] = {slice("head"), {NULL, 1000}};
  nxc_record record = test_record(slice("key"), parts);
  record.part_count = 2;
  nxc_entry *entry = NULL;
  assert_int_equal(nxc_entry_create(r->cache, &record, &entry), NXC_OK);
  memset(nxc_entry_blank(entry, 1), 'x', 1000);
  assert_true(was_kept(nxc_put_entry(r->cache, entry)));
  nxc_entry_unref(entry);
  nxc_query query = {.key = slice("key")};
  nxc_found found;
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
  nxc_slice part = nxc_entry_part(found.entry, 1);
  assert_int_equal(part.size, 1000);
  for (size_t i = 0; i < 1000; i++) assert_int_equal(((const char *)part.data)[i], 'x');
  nxc_entry_unref(found.entry);
}

static void an_entry_outlives_removal_and_close(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  nxc_query query = {.key = slice("key")};
  nxc_found found;
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
  nxc_remove(r->cache, slice("key"));
  put(r, "key", "other", NULL);
  nxc_clear(r->cache);
  assert_true(test_stats(r->cache).pinned_bytes >= nxc_entry_bytes(found.entry).size);
  nxc_close(r->cache);
  assert_memory_equal(nxc_entry_part(found.entry, 0).data, "value", 5);
  nxc_entry_unref(found.entry);
  r->cache = test_open_with(&r->options);
}

static void the_bytes_of_an_entry_carry_it_to_another_cache(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  nxc_query query = {.key = slice("key")};
  nxc_found found;
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
  nxc_entry *copy = NULL;
  assert_int_equal(nxc_entry_parse(nxc_entry_bytes(found.entry), &copy), NXC_OK);
  nxc_entry_unref(found.entry);
  nxc_cache *other = test_open(NULL);
  int result = nxc_put_entry(other, copy);
  nxc_entry_unref(copy);
  /* A birth belongs to one directory; a cache that counts less refuses it. */
  assert_true(result == NXC_MEMORY_ONLY || result == NXC_BORN_DEAD);
  nxc_close(other);
}

/* ---- age ------------------------------------------------------------------------------- */

static void put_lifetime(rig *r, int64_t revalidate_ms, int64_t expire_ms) {
  nxc_slice part = slice("value");
  nxc_record record = test_record(slice("key"), &part);
  record.revalidate_ms = revalidate_ms;
  record.expire_ms = expire_ms;
  assert_true(was_kept(nxc_put(r->cache, &record)));
}

static void age_makes_stale_and_then_dead(void **state) {
  rig *r = *state;
  put_lifetime(r, 1000, 2000);
  test_clock_advance(1000);
  assert_hit(r, "key", "value");
  test_clock_advance(1);
  test_answer answer = test_get(r->cache, "key");
  assert_int_equal(answer.result, NXC_STALE);
  assert_int_equal(answer.why, NXC_WHY_AGE);
  assert_string_equal(answer.value, "value");
  assert_true(answer.dead_at_ms == TEST_EPOCH_MS + 2000);
  test_clock_set(TEST_EPOCH_MS + 1999);
  assert_int_equal(test_get(r->cache, "key").result, NXC_STALE);
  test_clock_advance(1);
  assert_miss(r, "key", NXC_WHY_AGE);
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(test_sum(stats.stale_hits), 2);
  assert_int_equal(hits(&stats), 3);
  assert_int_equal(stats.dead_by_age, 1);
  assert_int_equal(test_sum(stats.misses), 1);
}

static void the_future_is_not_believed(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  test_clock_advance(-INT64_C(3600000));
  assert_miss(r, "key", NXC_WHY_FUTURE);
}

static void a_born_expired_entry_is_never_served(void **state) {
  rig *r = *state;
  put(r, "key", "old", NULL);
  nxc_slice part = slice("new");
  nxc_record record = test_record(slice("key"), &part);
  record.expire_ms = 0;
  assert_int_equal(nxc_put(r->cache, &record), NXC_BORN_DEAD);
  assert_gone(r, "key");
}

/* ---- marks ------------------------------------------------------------------------------- */

static void a_mark_kills_what_was_born_before(void **state) {
  rig *r = *state;
  put(r, "one", "1", TAGS("product:1", "all"));
  put(r, "two", "2", TAGS("product:2", "all"));
  put(r, "none", "0", NULL);
  assert_int_equal(test_mark(r->cache, "product:1", 0), NXC_OK);
  test_answer answer = test_get(r->cache, "one");
  assert_int_equal(answer.result, NXC_MISS);
  assert_int_equal(answer.why, NXC_WHY_TAG);
  assert_string_equal(answer.why_tag, "product:1");
  assert_hit(r, "two", "2");
  put(r, "one", "1 again", TAGS("product:1", "all"));
  assert_hit(r, "one", "1 again");
  assert_int_equal(test_mark(r->cache, "all", 0), NXC_OK);
  assert_gone(r, "one");
  assert_gone(r, "two");
  assert_hit(r, "none", "0");
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(stats.marks, 2);
  assert_int_equal(stats.dead_by_tag, 3);
}

static void a_mark_for_later_makes_stale_and_then_dead(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  assert_int_equal(test_mark(r->cache, "tag", 5000), NXC_OK);
  test_answer answer = test_get(r->cache, "key");
  assert_int_equal(answer.result, NXC_STALE);
  assert_int_equal(answer.why, NXC_WHY_TAG);
  assert_string_equal(answer.why_tag, "tag");
  assert_true(answer.dead_at_ms == TEST_EPOCH_MS + 5000);
  test_clock_advance(4999);
  assert_int_equal(test_get(r->cache, "key").result, NXC_STALE);
  test_clock_advance(1);
  assert_miss(r, "key", NXC_WHY_TAG);
  put(r, "key", "new", TAGS("tag"));
  assert_hit(r, "key", "new");
}

static void a_mark_without_end_makes_stale_for_ever(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  assert_int_equal(test_mark(r->cache, "tag", NXC_NEVER), NXC_OK);
  test_clock_advance(INT64_C(3155760000000));
  test_answer answer = test_get(r->cache, "key");
  assert_int_equal(answer.result, NXC_STALE);
  assert_true(answer.dead_at_ms == NXC_NEVER);
}

static void marks_do_not_hide_each_other(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  test_mark(r->cache, "tag", INT64_C(31536000000));
  test_mark(r->cache, "tag", 0);
  assert_miss(r, "key", NXC_WHY_TAG);

  /* A deadline that has passed still counts when a later one replaces it. */
  put(r, "key", "value", TAGS("tag"));
  test_mark(r->cache, "tag", 1000);
  test_clock_advance(1000);
  test_mark(r->cache, "tag", INT64_C(31536000000));
  assert_miss(r, "key", NXC_WHY_TAG);

  /* A later deadline does not put an earlier one off. */
  put(r, "key", "value", TAGS("tag"));
  test_mark(r->cache, "tag", 1000);
  test_mark(r->cache, "tag", 60000);
  test_clock_advance(1000);
  assert_miss(r, "key", NXC_WHY_TAG);
}

/* An earlier deadline of the tag is not for an entry that was born after it. */
static void a_deadline_is_for_what_was_born_before_it(void **state) {
  rig *r = *state;
  put(r, "old", "value", TAGS("tag"));
  test_mark(r->cache, "tag", 1000);
  put(r, "new", "value", TAGS("tag"));
  assert_hit(r, "new", "value");
  test_clock_advance(1000);
  assert_gone(r, "old");
  assert_hit(r, "new", "value");
}

static void soft_tags_judge_one_look_up_alone(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("hard"));
  test_mark(r->cache, "soft", 0);
  test_answer answer = test_get_soft(r->cache, "key", TAGS("other", "soft"));
  assert_int_equal(answer.result, NXC_MISS);
  assert_int_equal(answer.why, NXC_WHY_TAG);
  assert_string_equal(answer.why_tag, "soft");
  /* Without the soft tag the same entry is alive: it was not stored. */
  answer = test_get(r->cache, "key");
  assert_int_equal(answer.result, NXC_OK);
  assert_string_equal(answer.value, "value");
  test_mark(r->cache, "maybe", 1000);
  answer = test_get_soft(r->cache, "key", TAGS("maybe"));
  assert_int_equal(answer.result, NXC_STALE);
  assert_true(answer.dead_at_ms == TEST_EPOCH_MS + 1000);
  put(r, "key", "value", NULL);
  assert_int_equal(test_get_soft(r->cache, "key", TAGS("soft", "maybe")).result, NXC_OK);
}

static void content_is_as_old_as_the_work_that_made_it(void **state) {
  rig *r = *state;
  put(r, "key", "old", TAGS("tag"));
  nxc_slice part = slice("late"), tag = slice("tag");
  nxc_record record = test_record(slice("key"), &part);
  record.birth = nxc_birth(r->cache);
  record.tags = &tag;
  record.tag_count = 1;
  test_mark(r->cache, "tag", 0);
  assert_int_equal(nxc_put(r->cache, &record), NXC_BORN_DEAD);
  assert_gone(r, "key");
  assert_int_equal(test_stats(r->cache).born_dead, 1);
  /* Marked to die later, it is kept and stale. */
  record.birth = nxc_birth(r->cache);
  test_mark(r->cache, "tag", 5000);
  assert_true(was_kept(nxc_put(r->cache, &record)));
  assert_int_equal(test_get(r->cache, "key").result, NXC_STALE);
  /* Begun after the marks, it is fresh. */
  record.birth = nxc_birth(r->cache);
  assert_true(was_kept(nxc_put(r->cache, &record)));
  assert_hit(r, "key", "late");
}

static void no_step_of_the_clock_undoes_a_mark(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  test_clock_advance(-INT64_C(315360000000));
  test_mark(r->cache, "tag", 0);
  test_clock_set(TEST_EPOCH_MS);
  assert_miss(r, "key", NXC_WHY_TAG);
  put(r, "key", "value", TAGS("tag"));
  test_clock_advance(INT64_C(315360000000));
  test_mark(r->cache, "tag", 0);
  test_clock_set(TEST_EPOCH_MS);
  assert_miss(r, "key", NXC_WHY_TAG);
  put(r, "key", "again", TAGS("tag"));
  assert_hit(r, "key", "again");
}

static void a_mark_of_many_tags_is_one_call(void **state) {
  rig *r = *state;
  nxc_slice tags[200];
  char names[200][16];
  for (size_t i = 0; i < 200; i++) {
    (void)snprintf(names[i], sizeof names[i], "tag %zu", i);
    tags[i] = slice(names[i]);
    put(r, names[i], "value", TAGS(names[i]));
  }
  assert_int_equal(nxc_mark(r->cache, tags, 100, 0), NXC_OK);
  for (size_t i = 0; i < 200; i++) {
    if (i < 100)
      assert_gone(r, names[i]);
    else
      assert_hit(r, names[i], "value");
  }
  assert_int_equal(nxc_mark(r->cache, NULL, 0, 0), NXC_OK);
}

/* More tags than there are rows: forgetting one may cost misses, never a hit. */
static void forgotten_marks_are_still_obeyed(void **state) {
  rig *r = *state;
  nxc_close(r->cache);
  if (r->dir) test_remove_tree(r->dir);
  r->options.tag_rows = 64;
  r->cache = test_open_with(&r->options);
  put(r, "key", "value", TAGS("the tag"));
  put(r, "untagged", "value", NULL);
  test_mark(r->cache, "the tag", 0);
  for (int i = 0; i < 1000; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "tag %d", i);
    test_mark(r->cache, name, 0);
  }
  assert_gone(r, "key");
  assert_hit(r, "untagged", "value");
  put(r, "key", "new", TAGS("the tag"));
  assert_hit(r, "key", "new");
  nxc_stats stats = test_stats(r->cache);
  assert_true(stats.floor_raises > 0);
  assert_int_equal(stats.marks, 1001);
}

static void a_long_tag_is_cut_in_messages_only(void **state) {
  rig *r = *state;
  char one[101], two[101];
  memset(one, 'x', 100);
  one[100] = '\0';
  memcpy(two, one, 101);
  two[99] = 'y';
  put(r, "one", "1", TAGS(one));
  put(r, "two", "2", TAGS(two));
  test_mark(r->cache, one, 0);
  test_answer answer = test_get(r->cache, "one");
  assert_int_equal(answer.result, NXC_MISS);
  assert_int_equal(strlen(answer.why_tag), 63);
  assert_memory_equal(answer.why_tag, one, 63);
  assert_hit(r, "two", "2");
}

static void content_kept_elsewhere_is_judged(void **state) {
  rig *r = *state;
  nxc_slice tag = slice("tag"), soft = slice("soft");
  nxc_record record = test_record(slice(""), NULL);
  record.created_ms = TEST_EPOCH_MS - 1000;
  record.revalidate_ms = 5000;
  record.tags = &tag;
  record.tag_count = 1;
  nxc_found found;
  assert_int_equal(nxc_judge(r->cache, &record, &soft, 1, &found), NXC_OK);
  assert_null(found.entry);
  test_clock_advance(4001);
  assert_int_equal(nxc_judge(r->cache, &record, &soft, 1, &found), NXC_STALE);
  assert_int_equal(found.why, NXC_WHY_AGE);
  test_mark(r->cache, "soft", 0);
  assert_int_equal(nxc_judge(r->cache, &record, &soft, 1, &found), NXC_MISS);
  assert_string_equal(found.why_tag, "soft");
  assert_int_equal(nxc_judge(r->cache, &record, NULL, 0, &found), NXC_STALE);
  test_mark(r->cache, "tag", 0);
  assert_int_equal(nxc_judge(r->cache, &record, NULL, 0, &found), NXC_MISS);
  assert_string_equal(found.why_tag, "tag");
  /* Made after the marks by the wall clock. */
  test_clock_advance(1);
  record.created_ms = test_clock_now(NULL);
  assert_int_equal(nxc_judge(r->cache, &record, &soft, 1, &found), NXC_OK);
}

/* ---- the memory tier ------------------------------------------------------------------------ */

static void put_sized(rig *r, const char *key, size_t size) {
  char *bytes = calloc(1, size);
  nxc_slice part = slice_of(bytes, size);
  nxc_record record = test_record(slice(key), &part);
  assert_true(was_kept(nxc_put(r->cache, &record)));
  free(bytes);
}

static void memory_is_bounded_in_bytes(void **state) {
  rig *r = *state;
  test_random random = test_random_seed(1);
  for (int i = 0; i < 2000; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key %d", i);
    put_sized(r, key, test_random_below(&random, 20000));
    nxc_stats stats = test_stats(r->cache);
    assert_true(stats.memory_bytes <= stats.memory_limit_bytes);
  }
  nxc_stats stats = test_stats(r->cache);
  assert_true(stats.memory_evictions > 1000);
  assert_true(stats.memory_bytes > MB / 2);
  assert_int_equal(test_get(r->cache, "key 1999").in_memory, 1);
}

static void memory_is_bounded_in_items(void **state) {
  rig *r = *state;
  assert_int_equal(nxc_set_memory(r->cache, MB, 3), NXC_OK);
  for (int i = 0; i < 10; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key %d", i);
    put(r, key, "value", NULL);
    assert_true(test_stats(r->cache).memory_items <= 3);
  }
  assert_int_equal(test_stats(r->cache).memory_items, 3);
  for (int i = 7; i < 10; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key %d", i);
    assert_int_equal(test_get(r->cache, key).in_memory, 1);
  }
}

static void the_least_recently_used_goes_first(void **state) {
  rig *r = *state;
  nxc_set_memory(r->cache, MB, 3);
  put(r, "a", "1", NULL);
  put(r, "b", "2", NULL);
  put(r, "c", "3", NULL);
  assert_hit(r, "a", "1");
  put(r, "d", "4", NULL);
  assert_int_equal(test_get(r->cache, "a").in_memory, 1);
  assert_int_equal(test_get(r->cache, "c").in_memory, 1);
  assert_int_equal(test_get(r->cache, "d").in_memory, 1);
  test_answer b = test_get(r->cache, "b");
  if (r->dir) {
    assert_int_equal(b.result, NXC_OK);
    assert_int_equal(b.in_memory, 0);
    assert_int_equal(test_get(r->cache, "b").in_memory, 1); /* promoted */
  } else {
    assert_int_equal(b.result, NXC_MISS);
  }
}

static void memory_may_change_while_open(void **state) {
  rig *r = *state;
  for (int i = 0; i < 20; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key %d", i);
    put_sized(r, key, 30000);
  }
  assert_int_equal(test_stats(r->cache).memory_items, 20);
  assert_int_equal(nxc_set_memory(r->cache, 100000, 0), NXC_OK);
  nxc_stats stats = test_stats(r->cache);
  assert_true(stats.memory_bytes <= 100000 && stats.memory_items <= 3);
  assert_int_equal(stats.memory_limit_bytes, 100000);
  assert_int_equal(nxc_set_memory(r->cache, 0, 0), NXC_OK);
  assert_int_equal(test_stats(r->cache).memory_items, 0);
  assert_int_equal(test_stats(r->cache).memory_bytes, 0);
  assert_int_equal(nxc_set_memory(r->cache, MB, 0), NXC_OK);
  put(r, "key", "value", NULL);
  assert_int_equal(test_get(r->cache, "key").in_memory, 1);
}

static void an_entry_larger_than_memory_is_not_kept_there(void **state) {
  rig *r = *state;
  nxc_set_memory(r->cache, 100000, 0);
  put(r, "small", "value", NULL);
  put_sized(r, "large", 200000);
  assert_int_equal(test_get(r->cache, "small").in_memory, 1);
  test_answer large = test_get(r->cache, "large");
  assert_int_equal(large.result, NXC_OK);
  assert_int_equal(large.in_memory, 0);
}

/* ---- the disk tier ------------------------------------------------------------------------------ */

static void it_survives_closing(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  put(r, "marked", "value", TAGS("marked"));
  put(r, "removed", "value", NULL);
  test_mark(r->cache, "marked", 0);
  nxc_remove(r->cache, slice("removed"));
  uint64_t birth = nxc_birth(r->cache);
  reopen(r);
  assert_true(nxc_birth(r->cache) >= birth);
  test_answer answer = test_get(r->cache, "key");
  assert_int_equal(answer.result, NXC_OK);
  assert_int_equal(answer.in_memory, 0);
  assert_gone(r, "marked");
  assert_gone(r, "removed");
  test_mark(r->cache, "tag", 0);
  reopen(r);
  assert_gone(r, "key");
}

static void counters_survive_closing(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  assert_hit(r, "key", "value");
  assert_gone(r, "other");
  for (int i = 0; i < 3; i++) {
    reopen(r);
    nxc_stats stats = test_stats(r->cache);
    assert_int_equal(test_sum(stats.puts), 1);
    assert_int_equal(hits(&stats), 1);
    assert_int_equal(test_sum(stats.misses), 1);
  }
}

static void the_directory_is_private_and_tagged(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  char path[512];
  struct stat status;
  (void)snprintf(path, sizeof path, "%s/CACHEDIR.TAG", r->dir);
  assert_int_equal(stat(path, &status), 0);
  (void)snprintf(path, sizeof path, "%s/v1", r->dir);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0700);
  DIR *dir = opendir(path);
  int files = 0;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    assert_int_equal(fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    files++;
  }
  closedir(dir);
  assert_int_equal(files, 2); /* index and data-<instance> */
}

static void put_numbered(rig *r, int number, size_t size) {
  char key[32], *bytes = malloc(size);
  (void)snprintf(key, sizeof key, "key %d", number);
  memset(bytes, number % 251, size);
  nxc_slice part = slice_of(bytes, size);
  nxc_record record = test_record(slice(key), &part);
  assert_int_equal(nxc_put(r->cache, &record), NXC_OK);
  free(bytes);
}

/* Puts four times what fits; then the newest are there and the oldest not. */
static void the_disk_is_bounded_and_keeps_the_newest(void **state) {
  rig *r = *state;
  enum { COUNT = 1600, SIZE = 20000, SURELY_KEPT = 250 };
  for (int i = 0; i < COUNT; i++) {
    put_numbered(r, i, SIZE);
    if (i % 100 == 0) {
      nxc_stats stats = test_stats(r->cache);
      /* st_blocks counts a block of the file system's own map, too. */
      assert_true(stats.disk_bytes <= stats.disk_limit_bytes + stats.disk_limit_bytes / 100);
    }
  }
  nxc_stats stats = test_stats(r->cache);
  assert_true(stats.disk_recycled > 0);
  assert_true(stats.bytes_written >= (uint64_t)COUNT * SIZE);
  assert_true(stats.disk_limit_bytes <= 8 * MB);
  struct stat status;
  char path[512];
  (void)snprintf(path, sizeof path, "%s/v1/index", r->dir);
  assert_int_equal(stat(path, &status), 0);
  uint64_t index_bytes = (uint64_t)status.st_blocks * 512;
  assert_true(test_dir_bytes(r->dir) - index_bytes <= 8 * MB + 8 * MB / 100 + 16384);
  int kept = 0, lost = 0;
  for (int i = 0; i < COUNT; i++) {
    char key[32];
    (void)snprintf(key, sizeof key, "key %d", i);
    nxc_query query = {.key = slice(key)};
    nxc_found found;
    int result = nxc_get(r->cache, &query, &found);
    if (result == NXC_OK) {
      const unsigned char *bytes = nxc_entry_part(found.entry, 0).data;
      assert_int_equal(nxc_entry_part(found.entry, 0).size, SIZE);
      for (size_t j = 0; j < SIZE; j += 97) assert_int_equal(bytes[j], i % 251);
      nxc_entry_unref(found.entry);
      kept++;
    } else if (i >= COUNT - SURELY_KEPT) {
      lost++;
    }
  }
  /* Two keys of one bucket and one fingerprint take each other's slot: among
   * these that happens once in a thousand runs, and never three times. */
  assert_in_range(lost, 0, 2);
  assert_true(kept * (uint64_t)SIZE <= 8 * MB);
}

static void an_entry_of_one_segment_is_the_largest(void **state) {
  rig *r = *state;
  size_t size = MB - 4096;
  put_numbered(r, 1, size);
  nxc_query query = {.key = slice("key 1")};
  nxc_found found;
  assert_int_equal(nxc_get(r->cache, &query, &found), NXC_OK);
  assert_int_equal(nxc_entry_part(found.entry, 0).size, size);
  nxc_entry_unref(found.entry);
  reopen(r);
  assert_int_equal(test_get(r->cache, "key 1").result, NXC_OK);
}

/* Changes every byte of a file that lies in [begin, end) of it. */
static void damage(const char *path, off_t begin, off_t end) {
  int fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  for (off_t at = begin; at < end; at++) {
    unsigned char byte;
    if (pread(fd, &byte, 1, at) != 1) break;
    byte ^= 0x55;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  }
  close(fd);
}

/* The path of the file in v1/ whose name starts so; static storage. */
static const char *file_of(rig *r, const char *prefix) {
  static char path[1024];
  char parent[512];
  (void)snprintf(parent, sizeof parent, "%s/v1", r->dir);
  DIR *dir = opendir(parent);
  assert_non_null(dir);
  path[0] = '\0';
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
      (void)snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
    }
  }
  closedir(dir);
  assert_true(path[0] != '\0');
  return path;
}

static void damaged_data_is_a_miss(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  nxc_close(r->cache);
  damage(file_of(r, "data-"), 0, 4096);
  r->cache = test_open_with(&r->options);
  test_answer answer = test_get(r->cache, "key");
  assert_int_equal(answer.result, NXC_MISS);
  assert_int_equal(answer.why, NXC_WHY_CORRUPT);
  assert_true(test_stats(r->cache).corrupt >= 1);
  put(r, "key", "new", NULL);
  assert_hit(r, "key", "new");
}

static void one_flipped_bit_of_a_body_is_a_miss(void **state) {
  rig *r = *state;
  char *bytes = calloc(1, 40000);
  nxc_slice part = slice_of(bytes, 40000);
  nxc_record record = test_record(slice("key"), &part);
  assert_int_equal(nxc_put(r->cache, &record), NXC_OK);
  free(bytes);
  nxc_close(r->cache);
  damage(file_of(r, "data-"), 20000, 20001);
  r->cache = test_open_with(&r->options);
  assert_miss(r, "key", NXC_WHY_CORRUPT);
}

static void a_damaged_index_is_replaced(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  nxc_close(r->cache);
  damage(file_of(r, "index"), 0, 128);
  r->cache = test_open_with(&r->options);
  assert_gone(r, "key");
  put(r, "key", "new", NULL);
  assert_hit(r, "key", "new");
  reopen(r);
  assert_hit(r, "key", "new");
}

static void a_truncated_file_is_a_miss(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  nxc_close(r->cache);
  assert_int_equal(truncate(file_of(r, "data-"), 0), 0);
  r->cache = test_open_with(&r->options);
  assert_gone(r, "key");
  put(r, "key", "new", NULL);
  assert_hit(r, "key", "new");
  nxc_close(r->cache);
  assert_int_equal(truncate(file_of(r, "index"), 100), 0);
  r->cache = test_open_with(&r->options);
  assert_gone(r, "key");
  put(r, "key", "newer", NULL);
  assert_hit(r, "key", "newer");
}

static void a_removed_directory_comes_back(void **state) {
  rig *r = *state;
  put(r, "key", "old", TAGS("tag"));
  put(r, "other", "old", TAGS("tag"));
  uint64_t birth = nxc_birth(r->cache);
  test_remove_tree(r->dir);
  /* A put looks at the directory; what was from before is not believed. */
  put(r, "new", "value", NULL);
  assert_hit(r, "new", "value");
  assert_gone(r, "key");
  assert_gone(r, "other");
  assert_true(nxc_birth(r->cache) >= birth);
  nxc_slice part = slice("late"), tag = slice("tag");
  nxc_record record = test_record(slice("late"), &part);
  record.birth = birth;
  record.tags = &tag;
  record.tag_count = 1;
  assert_int_equal(nxc_put(r->cache, &record), NXC_BORN_DEAD);
  reopen(r);
  assert_hit(r, "new", "value");
  assert_int_equal(test_stats(r->cache).disk, 1);
}

static void a_replaced_directory_is_taken_over(void **state) {
  rig *r = *state;
  put(r, "key", "old", TAGS("tag"));
  char *elsewhere = test_dir_make();
  char path[512];
  (void)snprintf(path, sizeof path, "%s/moved", elsewhere);
  assert_int_equal(rename(r->dir, path), 0);
  put(r, "new", "value", NULL);
  assert_gone(r, "key");
  assert_hit(r, "new", "value");
  test_dir_remove(elsewhere);
  assert_hit(r, "new", "value");
}

static void an_unusable_directory_gives_a_cache_in_memory(void **state) {
  (void)state;
  test_clock_set(TEST_EPOCH_MS);
  char *dir = test_dir_make(), path[512];
  (void)snprintf(path, sizeof path, "%s/file", dir);
  int fd = open(path, O_CREAT | O_WRONLY, 0600);
  assert_true(fd >= 0);
  close(fd);
  const char *const wrong[] = {path, "/proc/nowhere/cache", "/dev/null"};
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    nxc_options options = test_options(wrong[i]);
    nxc_cache *cache = test_open_with(&options);
    for (int j = 0; j < 20; j++) {
      assert_int_equal(test_put(cache, "key", "value", TAGS("tag")), NXC_MEMORY_ONLY);
      assert_int_equal(test_get(cache, "key").result, NXC_OK);
    }
    test_mark(cache, "tag", 0);
    assert_int_equal(test_get(cache, "key").result, NXC_MISS);
    assert_int_equal(test_stats(cache).disk, 0);
    assert_int_equal(test_error_count, 1);
    assert_non_null(strstr(test_error_last, wrong[i]));
    nxc_close(cache);
  }
  test_dir_remove(dir);
}

/* The first eighth of a segment ends in the record, so the put wakes the mover; many
 * times, because one that still runs is not started again. */
static void a_put_may_lose_its_directory_for_good(void **state) {
  (void)state;
  static char large[200 << 10];
  memset(large, 'x', sizeof large - 1);
  test_clock_set(TEST_EPOCH_MS);
  for (int i = 0; i < 40; i++) {
    char *dir = test_dir_make();
    nxc_cache *cache = test_open(dir);
    test_remove_tree(dir);
    int fd = open(dir, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(test_put(cache, "key", large, NULL), NXC_MEMORY_ONLY);
    assert_int_equal(test_stats(cache).disk, 0);
    nxc_close(cache);
    test_dir_remove(dir);
  }
}

static void a_link_or_a_pipe_in_a_file_s_place_is_not_followed(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  nxc_close(r->cache);
  char victim[512], index[512];
  (void)snprintf(victim, sizeof victim, "%s/victim", r->dir);
  (void)snprintf(index, sizeof index, "%s/v1/index", r->dir);
  int fd = open(victim, O_CREAT | O_WRONLY, 0600);
  assert_int_equal(write(fd, "precious", 8), 8);
  close(fd);
  for (int kind = 0; kind < 3; kind++) {
    test_remove_tree(index);
    if (kind == 0) assert_int_equal(symlink(victim, index), 0);
    if (kind == 1) assert_int_equal(mkfifo(index, 0600), 0);
    if (kind == 2) assert_int_equal(mkdir(index, 0700), 0);
    r->cache = test_open_with(&r->options);
    assert_gone(r, "key");
    assert_true(was_kept(test_put(r->cache, "new", "value", NULL)));
    assert_hit(r, "new", "value");
    nxc_close(r->cache);
  }
  char text[16] = "";
  fd = open(victim, O_RDONLY);
  assert_int_equal(read(fd, text, sizeof text), 8);
  close(fd);
  assert_string_equal(text, "precious");
  test_remove_tree(index);
  r->cache = test_open_with(&r->options);
}

static void another_bound_is_taken_over_when_nobody_else_is_there(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  test_mark(r->cache, "tag", 0);
  uint64_t birth = nxc_birth(r->cache);
  nxc_close(r->cache);
  r->options = test_options(r->dir);
  r->options.disk_bytes = 32 * MB;
  r->cache = test_open_with(&r->options);
  assert_int_equal(test_stats(r->cache).disk_limit_bytes, 32 * MB);
  assert_int_equal(test_error_count, 0);
  assert_true(nxc_birth(r->cache) >= birth);
  assert_gone(r, "key"); /* entries are given up, totals are not */
  assert_int_equal(test_sum(test_stats(r->cache).puts), 1);
  put(r, "key", "new", TAGS("tag"));
  reopen(r);
  assert_hit(r, "key", "new");
}

static void as_it_is_adopts_any_bound(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  nxc_close(r->cache);
  r->options.disk_bytes = NXC_ADOPT;
  r->cache = test_open_with(&r->options);
  assert_int_equal(test_stats(r->cache).disk_limit_bytes, 8 * MB);
  assert_hit(r, "key", "value");
}

static void handles_of_one_directory_share_one_engine(void **state) {
  rig *r = *state;
  nxc_cache *second = test_open_with(&r->options);
  put(r, "key", "value", TAGS("tag"));
  test_answer answer = test_get(second, "key");
  assert_int_equal(answer.result, NXC_OK);
  assert_int_equal(answer.in_memory, 1);
  test_mark(second, "tag", 0);
  assert_gone(r, "key");
  nxc_close(r->cache);
  assert_true(was_kept(test_put(second, "key", "again", NULL)));
  r->cache = second;
  assert_hit(r, "key", "again");
}

/* ---- processes ------------------------------------------------------------------------------------- */

/* Runs a step in a process of its own and waits for it. */
static void elsewhere(rig *r, const char *verb, const char *key, const char *value,
                      const char *tag) {
  const char *arguments[] = {"--elsewhere", r->dir, verb, key, value, tag, NULL};
  assert_int_equal(test_wait(test_spawn(arguments)), 0);
}

static int run_elsewhere(char **argv) {
  const char *verb = argv[3], *key = argv[4], *value = argv[5], *tag = argv[6];
  nxc_options options = test_options(argv[2]);
  nxc_cache *cache = NULL;
  bool other_bound = strcmp(verb, "get with 32 MB") == 0;
  if (other_bound) options.disk_bytes = 32 * MB;
  if (nxc_open(&cache, &options) != NXC_OK) return 10;
  /* One warning, and the bound of those who were there first. */
  if (test_error_count != other_bound) return 12;
  if (test_stats(cache).disk_limit_bytes != 8 * MB) return 13;
  int result = -100;
  if (strcmp(verb, "put") == 0) result = test_put(cache, key, value, TAGS(tag));
  if (strcmp(verb, "mark") == 0) result = test_mark(cache, tag, 0);
  if (strcmp(verb, "mark later") == 0) result = test_mark(cache, tag, 1000);
  if (strcmp(verb, "remove") == 0) result = nxc_remove(cache, slice(key));
  if (strcmp(verb, "clear") == 0) result = nxc_clear(cache);
  if (strcmp(verb, "get") == 0 || other_bound) {
    test_answer answer = test_get(cache, key);
    result = answer.result == NXC_OK && strcmp(answer.value, value) == 0 ? NXC_OK : -101;
  }
  if (strcmp(verb, "miss") == 0) result = test_get(cache, key).result == NXC_MISS ? NXC_OK : -102;
  if (strcmp(verb, "put and die") == 0) {
    result = test_put(cache, key, value, TAGS(tag));
    if (result == NXC_OK) raise(SIGKILL);
  }
  if (strcmp(verb, "mark and die") == 0) {
    result = test_mark(cache, tag, 0);
    if (result == NXC_OK) raise(SIGKILL);
  }
  nxc_close(cache);
  return result == NXC_OK ? 0 : 11;
}

static void processes_see_each_other(void **state) {
  rig *r = *state;
  put(r, "key", "mine", TAGS("tag"));
  elsewhere(r, "get", "key", "mine", "-");
  assert_hit(r, "key", "mine"); /* now in this process's memory, with a token */
  elsewhere(r, "put", "key", "theirs", "tag");
  assert_hit(r, "key", "theirs");
  elsewhere(r, "mark", "-", "-", "tag");
  assert_miss(r, "key", NXC_WHY_TAG);
  put(r, "key", "mine", TAGS("tag"));
  assert_hit(r, "key", "mine");
  elsewhere(r, "mark later", "-", "-", "tag");
  assert_int_equal(test_get(r->cache, "key").result, NXC_STALE);
  test_clock_advance(1000);
  assert_miss(r, "key", NXC_WHY_TAG);
  put(r, "key", "mine", TAGS("tag"));
  elsewhere(r, "remove", "key", "-", "-");
  assert_miss(r, "key", NXC_WHY_ABSENT);
  nxc_remove(r->cache, slice("key"));
  elsewhere(r, "miss", "key", "-", "-");
  put(r, "key", "mine", TAGS("tag"));
  assert_hit(r, "key", "mine");
  elsewhere(r, "clear", "-", "-", "-");
  assert_gone(r, "key");
  put(r, "key", "mine again", TAGS("tag"));
  elsewhere(r, "get", "key", "mine again", "-");
}

static void counters_are_of_all_processes(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  elsewhere(r, "get", "key", "value", "-");
  elsewhere(r, "get", "key", "value", "-");
  elsewhere(r, "miss", "nothing", "-", "-");
  elsewhere(r, "mark", "-", "-", "tag");
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(hits(&stats), 2);
  assert_int_equal(test_sum(stats.misses), 1);
  assert_int_equal(test_sum(stats.puts), 1);
  assert_int_equal(stats.marks, 1);
}

static void another_bound_waits_until_the_others_have_ended(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  elsewhere(r, "get with 32 MB", "key", "value", "-");
  assert_hit(r, "key", "value");
  assert_int_equal(test_stats(r->cache).disk_limit_bytes, 8 * MB);
}

/* More processes than there are rows for counters, one after the other. */
static void counters_of_the_dead_are_kept(void **state) {
  rig *r = *state;
  put(r, "key", "value", NULL);
  for (int i = 0; i < 80; i++) elsewhere(r, "get", "key", "value", "-");
  nxc_stats stats = test_stats(r->cache);
  assert_int_equal(hits(&stats), 80);
}

static void what_completed_survives_a_kill(void **state) {
  rig *r = *state;
  put(r, "marked", "value", TAGS("tag"));
  for (int i = 0; i < 20; i++) {
    char key[16], value[24];
    (void)snprintf(key, sizeof key, "key %d", i);
    (void)snprintf(value, sizeof value, "value %d", i);
    const char *put_and_die[] = {"--elsewhere", r->dir, "put and die", key, value, "other", NULL};
    assert_int_equal(test_wait(test_spawn(put_and_die)), 128 + SIGKILL);
    assert_hit(r, key, value);
  }
  const char *mark_and_die[] = {"--elsewhere", r->dir, "mark and die", "-", "-", "tag", NULL};
  assert_int_equal(test_wait(test_spawn(mark_and_die)), 128 + SIGKILL);
  assert_gone(r, "marked");
  reopen(r);
  assert_gone(r, "marked");
  assert_hit(r, "key 7", "value 7");
}

/* In a child: where this process prints, its report goes. */
static void what_a_program_prints_is_in_no_file(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  pid_t child = fork();
  if (child == 0) {
    static char text[65536];
    nxc_cache *own = NULL;
    for (int fd = 0; fd <= STDERR_FILENO; fd++) close(fd);
    if (nxc_open(&own, &r->options) != NXC_OK) _exit(1);
    memset(text, 'x', sizeof text);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
      if (write(fd, text, sizeof text) != (ssize_t)sizeof text) _exit(2);
    }
    nxc_close(own);
    nxc_close(r->cache);
    _exit(0);
  }
  assert_int_equal(test_wait(child), 0);
  assert_hit(r, "key", "value");
  reopen(r);
  assert_hit(r, "key", "value");
}

static void an_inherited_handle_answers_forked(void **state) {
  rig *r = *state;
  put(r, "key", "value", TAGS("tag"));
  pid_t child = fork();
  if (child == 0) {
    /* No cmocka here: it would print a second report. */
    nxc_query query = {.key = slice("key")};
    nxc_found found;
    nxc_stats stats;
    nxc_slice tag = slice("tag"), part = slice("child");
    nxc_record record = test_record(slice("key"), &part);
    if (nxc_get(r->cache, &query, &found) != NXC_E_FORKED) _exit(1);
    if (nxc_put(r->cache, &record) != NXC_E_FORKED) _exit(2);
    if (nxc_mark(r->cache, &tag, 1, 0) != NXC_E_FORKED) _exit(3);
    if (nxc_remove(r->cache, slice("key")) != NXC_E_FORKED) _exit(4);
    if (nxc_clear(r->cache) != NXC_E_FORKED) _exit(5);
    if (nxc_set_memory(r->cache, 0, 0) != NXC_E_FORKED) _exit(6);
    if (nxc_stats_get(r->cache, &stats) != NXC_E_FORKED) _exit(7);
    nxc_cache *own = NULL;
    if (nxc_open(&own, &r->options) != NXC_OK) _exit(8);
    if (r->dir) {
      if (nxc_get(own, &query, &found) != NXC_OK) _exit(9);
      nxc_entry_unref(found.entry);
    }
    int result = nxc_put(own, &record);
    if (!was_kept(result)) _exit(10);
    nxc_close(own);
    nxc_close(r->cache);
    _exit(0);
  }
  assert_int_equal(test_wait(child), 0);
  assert_hit(r, "key", r->dir ? "child" : "value");
}

/* ---- all of them ------------------------------------------------------------------------------------ */

#define ALONE(test) cmocka_unit_test(test)
#define ON(rig, test) \
  { #test "_" #rig, test, rig, tear_down, NULL }
#define EVERYWHERE(test) ON(on_memory, test), ON(on_disk, test), ON(on_both, test)
#define WITH_MEMORY(test) ON(on_memory, test), ON(on_both, test)
#define WITH_DISK(test) ON(on_disk, test), ON(on_both, test)

int main(int argc, char **argv) {
  if (argc > 6 && strcmp(argv[1], "--elsewhere") == 0) return run_elsewhere(argv);
  const struct CMUnitTest tests[] = {
      ALONE(the_defaults_are_those_of_the_header),
      ALONE(wrong_options_are_refused),
      ALONE(closing_nothing_is_allowed),
      EVERYWHERE(a_new_cache_is_empty),
      EVERYWHERE(what_was_put_is_got),
      EVERYWHERE(a_get_tells_the_tier),
      EVERYWHERE(the_last_put_wins),
      EVERYWHERE(everything_of_a_record_comes_back),
      EVERYWHERE(created_and_birth_are_filled_in),
      EVERYWHERE(odd_keys_are_keys),
      EVERYWHERE(sizes_around_the_alignment_come_back),
      EVERYWHERE(wrong_arguments_are_refused),
      EVERYWHERE(a_refused_put_removes_the_old_version),
      EVERYWHERE(removing_removes),
      EVERYWHERE(clearing_empties_everything),
      EVERYWHERE(an_entry_is_built_in_two_steps),
      EVERYWHERE(an_entry_outlives_removal_and_close),
      EVERYWHERE(the_bytes_of_an_entry_carry_it_to_another_cache),
      EVERYWHERE(age_makes_stale_and_then_dead),
      EVERYWHERE(the_future_is_not_believed),
      EVERYWHERE(a_born_expired_entry_is_never_served),
      EVERYWHERE(a_mark_kills_what_was_born_before),
      EVERYWHERE(a_mark_for_later_makes_stale_and_then_dead),
      EVERYWHERE(a_mark_without_end_makes_stale_for_ever),
      EVERYWHERE(marks_do_not_hide_each_other),
      EVERYWHERE(a_deadline_is_for_what_was_born_before_it),
      EVERYWHERE(soft_tags_judge_one_look_up_alone),
      EVERYWHERE(content_is_as_old_as_the_work_that_made_it),
      EVERYWHERE(no_step_of_the_clock_undoes_a_mark),
      EVERYWHERE(a_mark_of_many_tags_is_one_call),
      EVERYWHERE(forgotten_marks_are_still_obeyed),
      EVERYWHERE(a_long_tag_is_cut_in_messages_only),
      EVERYWHERE(content_kept_elsewhere_is_judged),
      WITH_MEMORY(memory_is_bounded_in_bytes),
      WITH_MEMORY(memory_is_bounded_in_items),
      WITH_MEMORY(the_least_recently_used_goes_first),
      WITH_MEMORY(memory_may_change_while_open),
      ON(on_both, an_entry_larger_than_memory_is_not_kept_there),
      WITH_DISK(it_survives_closing),
      WITH_DISK(counters_survive_closing),
      ON(on_disk, the_directory_is_private_and_tagged),
      WITH_DISK(the_disk_is_bounded_and_keeps_the_newest),
      WITH_DISK(an_entry_of_one_segment_is_the_largest),
      WITH_DISK(damaged_data_is_a_miss),
      WITH_DISK(one_flipped_bit_of_a_body_is_a_miss),
      WITH_DISK(a_damaged_index_is_replaced),
      WITH_DISK(a_truncated_file_is_a_miss),
      WITH_DISK(a_removed_directory_comes_back),
      WITH_DISK(a_replaced_directory_is_taken_over),
      ALONE(an_unusable_directory_gives_a_cache_in_memory),
      ALONE(a_put_may_lose_its_directory_for_good),
      WITH_DISK(a_link_or_a_pipe_in_a_file_s_place_is_not_followed),
      WITH_DISK(another_bound_is_taken_over_when_nobody_else_is_there),
      WITH_DISK(as_it_is_adopts_any_bound),
      ON(on_both, handles_of_one_directory_share_one_engine),
      WITH_DISK(processes_see_each_other),
      WITH_DISK(counters_are_of_all_processes),
      ON(on_disk, another_bound_waits_until_the_others_have_ended),
      ON(on_disk, counters_of_the_dead_are_kept),
      WITH_DISK(what_completed_survives_a_kill),
      ON(on_disk, what_a_program_prints_is_in_no_file),
      EVERYWHERE(an_inherited_handle_answers_forked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
