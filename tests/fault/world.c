/* world.c - see world.h. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nextcache_uv.h"

static char context[256]; /* for messages */

#define EXPECT(condition, ...)                           \
  do {                                                   \
    if (!(condition)) {                                  \
      char text[200];                                    \
      (void)snprintf(text, sizeof text, __VA_ARGS__);    \
      fail_msg("%s: %s: %s", context, #condition, text); \
    }                                                    \
  } while (0)

/* ---- the world ------------------------------------------------------------------------ */

void world_in_memory(void) {
  if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
}

static const char *const keys[WORLD_KEYS] = {"/small", "/large", "/plain"};

nxc_slice world_body(unsigned key, unsigned version) {
  static unsigned char bytes[2][48 << 10];
  static const size_t sizes[WORLD_KEYS] = {100, 40 << 10, 300};
  if (!bytes[0][1]) {
    for (size_t i = 0; i < sizeof bytes[0]; i++) {
      bytes[0][i] = (unsigned char)(i * 31 + 1);
      bytes[1][i] = (unsigned char)(i * 37 + 2);
    }
  }
  return slice_of(bytes[version] + key, sizes[key]);
}

static nxc_record record_of(unsigned key, const nxc_slice *part, const nxc_slice *tag) {
  nxc_record r = test_record(slice(keys[key]), part);
  if (key != PLAIN) {
    r.tags = tag;
    r.tag_count = 1;
  }
  return r;
}

int world_put(world *w, unsigned key, unsigned version) {
  nxc_slice part = world_body(key, version), tag = slice("tag");
  nxc_record r = record_of(key, &part, &tag);
  return nxc_put(w->cache, &r);
}

static void world_open(world *w) {
  int rc = nxc_open(&w->cache, &w->options);
  EXPECT(rc == NXC_OK, "open: %d", rc);
}

static void world_close(world *w) {
  nxc_close(w->cache);
  w->cache = NULL;
}

void world_begin(world *w, bool memory_tier) {
  *w = (world){.parent = test_dir_make()};
  w->dir = malloc(strlen(w->parent) + 8);
  assert_non_null(w->dir);
  (void)sprintf(w->dir, "%s/cache", w->parent);
  w->options = test_options(w->dir);
  w->options.tag_rows = 8;
  world_open(w);
  for (unsigned k = 0; k < WORLD_KEYS; k++) {
    EXPECT(world_put(w, k, 0) == NXC_OK, "put");
    w->old_allowed[k] = true;
  }
  if (!memory_tier) { /* a handle that knows the disk alone */
    world_close(w);
    world_open(w);
  }
}

void world_check(world *w, const char *when) {
  for (unsigned round = 0; round < 2; round++) { /* the second one from memory */
    for (unsigned k = 0; k < WORLD_KEYS; k++) {
      nxc_query q = {.key = slice(keys[k])};
      nxc_found found;
      int rc = nxc_get(w->cache, &q, &found);
      EXPECT(rc == NXC_OK || rc == NXC_STALE || rc == NXC_MISS, "%s: get: %d", when, rc);
      EXPECT((rc == NXC_MISS) == !found.entry, "%s: %s", when, keys[k]);
      EXPECT(found.entry || !w->new_expected[k], "%s: %s was put and is lost", when, keys[k]);
      if (!found.entry) continue;
      nxc_slice part = nxc_entry_part(found.entry, 0);
      bool allowed = false;
      for (unsigned v = 0; v < 2; v++) {
        nxc_slice body = world_body(k, v);
        bool same = part.size == body.size && memcmp(part.data, body.data, part.size) == 0;
        allowed |= same && (v ? w->new_allowed[k] : w->old_allowed[k]);
        if (same) EXPECT(allowed, "%s: version %u of %s came back", when, v, keys[k]);
      }
      nxc_entry_unref(found.entry);
      EXPECT(allowed, "%s: wrong bytes under %s", when, keys[k]);
    }
  }
}

void world_end(world *w) {
  world_close(w);
  world_open(w);
  world_check(w, "opened anew");
  /* And it works as ever. */
  for (unsigned k = 0; k < WORLD_KEYS; k++) {
    int rc = world_put(w, k, 1);
    EXPECT(rc == NXC_OK, "put afterwards: %d", rc);
    w->old_allowed[k] = false;
    w->new_allowed[k] = w->new_expected[k] = true;
  }
  world_check(w, "put afterwards");
  world_close(w);
  free(w->dir);
  test_dir_remove(w->parent);
}

/* ---- actions -------------------------------------------------------------------------- */

static void nothing(world *w) {
  (void)w;
}

static void closed(world *w) {
  world_close(w);
}

static void forbid_old(world *w, unsigned key) {
  w->old_allowed[key] = false;
}

/* Whatever a put says, the old version is not seen again. */
static void put(world *w, unsigned key) {
  int rc = world_put(w, key, 1);
  EXPECT(rc == NXC_OK || rc == NXC_MEMORY_ONLY || rc == NXC_E_IO || rc == NXC_E_NOMEM, "put: %d",
         rc);
  forbid_old(w, key);
  w->new_allowed[key] = rc >= 0;
  w->new_expected[key] = rc == NXC_OK;
}

static void act_put_small(world *w) {
  put(w, SMALL);
}

static void act_put_large(world *w) {
  put(w, LARGE);
}

/* Four records of a quarter of a segment: a new segment, and half of one passed. */
static void act_put_filling(world *w) {
  static char filling[300 << 10];
  for (unsigned i = 0; i < 4; i++) {
    char name[] = {'/', 'f', (char)('0' + i), 0};
    nxc_slice part = slice_of(filling, sizeof filling);
    nxc_record r = test_record(slice(name), &part);
    int rc = nxc_put(w->cache, &r);
    EXPECT(rc == NXC_OK || rc == NXC_MEMORY_ONLY || rc == NXC_E_IO || rc == NXC_E_NOMEM, "put: %d",
           rc);
  }
}

static void act_put_too_large(world *w) {
  static char huge[3 << 20];
  nxc_slice part = slice_of(huge, sizeof huge), tag = slice("tag");
  nxc_record r = record_of(SMALL, &part, &tag);
  int rc = nxc_put(w->cache, &r);
  EXPECT(rc == NXC_E_TOO_LARGE || rc == NXC_E_IO || rc == NXC_E_NOMEM, "put: %d", rc);
  forbid_old(w, SMALL);
}

static void act_get(world *w) {
  world_check(w, "meanwhile");
}

static void act_remove(world *w) {
  int rc = nxc_remove(w->cache, slice(keys[LARGE]));
  EXPECT(rc == NXC_OK || rc == NXC_E_IO, "remove: %d", rc);
  forbid_old(w, LARGE);
}

static void act_mark(world *w) {
  int rc = test_mark(w->cache, "tag", 0);
  EXPECT(rc == NXC_OK || rc == NXC_E_IO, "mark: %d", rc);
  forbid_old(w, SMALL);
  forbid_old(w, LARGE);
}

/* Eight rows: later marks push earlier ones out. */
static void act_mark_many(world *w) {
  char name[16];
  act_mark(w);
  for (unsigned i = 0; i < 12; i++) {
    (void)snprintf(name, sizeof name, "tag %u", i);
    int rc = test_mark(w->cache, name, 1000);
    EXPECT(rc == NXC_OK || rc == NXC_E_IO, "mark: %d", rc);
  }
}

static void act_clear(world *w) {
  int rc = nxc_clear(w->cache);
  EXPECT(rc == NXC_OK || rc == NXC_E_IO || rc == NXC_E_NOMEM, "clear: %d", rc);
  for (unsigned k = 0; k < WORLD_KEYS; k++) forbid_old(w, k);
}

static void act_judge(world *w) {
  nxc_slice tag = slice("tag");
  nxc_record r = {.created_ms = TEST_EPOCH_MS,
                  .revalidate_ms = NXC_NEVER,
                  .expire_ms = NXC_NEVER,
                  .tags = &tag,
                  .tag_count = 1};
  nxc_found found;
  int rc = nxc_judge(w->cache, &r, &tag, 1, &found);
  EXPECT(rc == NXC_OK || rc == NXC_MISS, "judge: %d", rc);
}

static void act_stats(world *w) {
  nxc_stats stats;
  EXPECT(nxc_stats_get(w->cache, &stats) == NXC_OK, "stats");
  free(nxc_stats_json(w->cache));
  EXPECT(nxc_set_memory(w->cache, 10000, 2) == NXC_OK, "memory");
}

static void open_with_faults(world *w) {
  int rc = nxc_open(&w->cache, &w->options);
  EXPECT(rc == NXC_OK || rc == NXC_E_NOMEM, "open: %d", rc);
  EXPECT((rc == NXC_OK) == (w->cache != NULL), "open: %d", rc);
}

static void make_nothing(world *w) {
  world_close(w);
  test_remove_tree(w->dir);
  for (unsigned k = 0; k < WORLD_KEYS; k++) forbid_old(w, k);
}

static void act_open_and_close(world *w) {
  open_with_faults(w);
  world_close(w);
}

static void want_other_bound(world *w) {
  world_close(w);
  w->options.disk_bytes = 12 * MB;
}

static void damage_index(world *w) {
  char path[256];
  world_close(w);
  (void)snprintf(path, sizeof path, "%s/v1/index", w->dir);
  int fd = open(path, O_WRONLY);
  assert_true(fd >= 0 && pwrite(fd, "damage", 6, 20) == 6);
  close(fd);
  for (unsigned k = 0; k < WORLD_KEYS; k++) forbid_old(w, k);
}

static void remove_directory(world *w) {
  test_remove_tree(w->dir);
}

/* After a put that looked at the directory nothing from before may be seen. */
static void act_put_into_nothing(world *w) {
  int rc = world_put(w, PLAIN, 1);
  EXPECT(rc == NXC_OK || rc == NXC_MEMORY_ONLY || rc == NXC_BORN_DEAD || rc == NXC_E_IO ||
             rc == NXC_E_NOMEM,
         "put: %d", rc);
  forbid_old(w, PLAIN);
  w->new_allowed[PLAIN] = rc >= 0 && rc != NXC_BORN_DEAD;
  w->new_expected[PLAIN] = rc == NXC_OK;
}

static void act_close(world *w) {
  world_close(w);
}

/* ---- the same on a loop ------------------------------------------------------------------ */

static void on_get(void *arg, int result, nxc_found *found) {
  (void)result;
  ++*(int *)arg;
  nxc_entry_unref(found->entry);
}

static void on_done(void *arg, int result) {
  (void)result;
  ++*(int *)arg;
}

static void act_loop(world *w) {
  uv_loop_t loop;
  int pending = 0, called = 0, rc;
  nxc_slice part = world_body(LARGE, 1), tag = slice("tag");
  nxc_record r = record_of(LARGE, &part, &tag);
  nxc_entry *entry = NULL;
  nxc_query q = {.key = slice(keys[SMALL])};
  nxc_found found = {.entry = NULL};

  EXPECT(uv_loop_init(&loop) == 0, "loop");
  rc = nxc_uv_get(&loop, w->cache, &q, &found, on_get, &called);
  pending += rc == NXC_PENDING;
  if (rc != NXC_PENDING) nxc_entry_unref(found.entry);
  if (nxc_entry_create(w->cache, &r, &entry) == NXC_OK) {
    rc = nxc_uv_put(&loop, w->cache, entry, on_done, &called);
    EXPECT(rc != NXC_E_NOMEM, "a put was not made");
    pending += rc == NXC_PENDING;
    w->new_allowed[LARGE] = rc >= 0;
    if (rc >= 0) forbid_old(w, LARGE);
    nxc_entry_unref(entry);
  }
  rc = nxc_uv_remove(&loop, w->cache, slice(keys[PLAIN]), on_done, &called);
  EXPECT(rc != NXC_E_NOMEM, "a remove was not made");
  pending += rc == NXC_PENDING;
  if (rc >= 0) forbid_old(w, PLAIN);
  rc = nxc_uv_mark(&loop, w->cache, &tag, 1, 0, on_done, &called);
  EXPECT(rc != NXC_E_NOMEM, "a mark was not made");
  pending += rc == NXC_PENDING;
  if (rc >= 0) forbid_old(w, SMALL);
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT(called == pending, "%d callbacks for %d calls", called, pending);
  rc = nxc_uv_clear(&loop, w->cache, on_done, &called);
  pending += rc == NXC_PENDING;
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT(called == pending, "%d callbacks for %d calls", called, pending);
  EXPECT(uv_loop_close(&loop) == 0, "something was left on the loop");
}

const action world_actions[] = {
    {"open an empty place", make_nothing, open_with_faults, false},
    {"open", closed, open_with_faults, false},
    {"open and close", closed, act_open_and_close, false},
    {"open with another bound", want_other_bound, open_with_faults, false},
    {"open what is damaged", damage_index, open_with_faults, false},
    {"put a small one", nothing, act_put_small, false},
    {"put a large one", nothing, act_put_large, false},
    {"put until a segment is full", nothing, act_put_filling, false},
    {"put what is too large", nothing, act_put_too_large, false},
    {"put where the directory is gone", remove_directory, act_put_into_nothing, false},
    {"get", nothing, act_get, false},
    {"get where the directory is gone", remove_directory, act_get, false},
    {"remove", nothing, act_remove, false},
    {"mark", nothing, act_mark, false},
    {"mark more than there are rows", nothing, act_mark_many, false},
    {"clear", nothing, act_clear, false},
    {"judge", nothing, act_judge, true},
    {"stats", nothing, act_stats, false},
    {"close", nothing, act_close, true},
    {"everything on a loop", nothing, act_loop, false},
};
const size_t world_action_count = COUNT_OF(world_actions);

/* ---- running ------------------------------------------------------------------------------ */

/* What libuv, and our clock, keep open for ever from their first use on. */
static void warm_up(void) {
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
  (void)test_clock_now(NULL);
}

static long run_tier(const action *a, fault what, bool memory_tier) {
  long faults = 0, failed = 1;

  for (long n = 1; failed; n++) {
    int descriptors = fault_descriptors();
    world w;
    (void)snprintf(context, sizeof context, "%s", a->name);
    world_begin(&w, memory_tier);
    a->prepare(&w);
    fault_arm(what, n);
    a->act(&w);
    failed = fault_disarm();
    (void)snprintf(context, sizeof context, "%s, %s number %ld (%s) %s with %s", a->name,
                   what.kind == FAULT_MEMORY ? "allocation" : "call", n, fault_where(),
                   what.lasting ? "and all later ones fail" : "fails",
                   what.kind == FAULT_MEMORY ? "no memory"
                   : what.error              ? strerror(what.error)
                                             : "a short length");
    if (!w.cache) world_open(&w);
    world_check(&w, "afterwards");
    world_end(&w);
    EXPECT(fault_descriptors() == descriptors, "%d descriptors, before: %d", fault_descriptors(),
           descriptors);
    faults += failed > 0;
    EXPECT(n < 5000, "it never ends");
  }
  return faults;
}

long world_run(const action *a, fault what) {
  warm_up();
  long faults = run_tier(a, what, true) + run_tier(a, what, false);
  EXPECT(!fault_leaked(), "memory was lost");
  return faults;
}
