/* test_model.c - random operations on the public API against an oracle.
 *
 * Two actors, this process and a second one started from this very executable,
 * each with a handle of its own on one directory, take turns. Whatever an actor
 * has done, the next one must see, whoever it is. What a get must answer is said
 * by `judge`, which knows nothing of epochs, rows, rings or tiers.
 *
 * A failure prints its seed: NXC_TEST_SEED=<seed> test_model runs it alone.
 */
#include "support.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEYS = 12, TAGS = 8, BIRTHS = 8, OPERATIONS = 3000, MAX_MARKS = OPERATIONS };

/* ---- one operation, as it is sent to the other process --------------------------- */

typedef enum verb { PUT, GET, MARK, REMOVE, CLEAR, BIRTH, REOPEN, MEMORY, STOP } verb;

typedef struct operation {
  verb verb;
  unsigned key;
  uint32_t value;
  unsigned size;
  unsigned tags; /* a bit for each */
  uint64_t birth;
  int64_t created_ms, revalidate_ms, expire_ms;
  int64_t dead_after_ms;
  uint64_t memory_bytes, memory_items;
} operation;

typedef struct outcome {
  int result;
  nxc_why why;
  int64_t dead_at_ms;
  uint32_t value;
  bool intact;
  uint64_t birth;
} outcome;

static size_t tag_slices(unsigned tags, char names[TAGS][8], nxc_slice *out) {
  size_t count = 0;
  for (unsigned i = 0; i < TAGS; i++) {
    if (!(tags >> i & 1)) continue;
    (void)snprintf(names[i], 8, "tag%u", i);
    out[count++] = slice(names[i]);
  }
  return count;
}

/* A body that says which value it is in every byte. */
static void fill(unsigned char *body, uint32_t value, size_t size) {
  for (size_t i = 0; i < size; i++) body[i] = (unsigned char)(value * 31 + i * 7);
}

static outcome perform_put(nxc_cache *cache, const operation *o, nxc_slice key) {
  unsigned char body[4096];
  char names[TAGS][8];
  nxc_slice tags[TAGS], parts[2] = {slice_of(&o->value, sizeof o->value), slice_of(body, o->size)};
  fill(body, o->value, o->size);
  nxc_record record = {.key = key,
                       .birth = o->birth,
                       .created_ms = o->created_ms,
                       .revalidate_ms = o->revalidate_ms,
                       .expire_ms = o->expire_ms,
                       .tags = tags,
                       .tag_count = tag_slices(o->tags, names, tags),
                       .parts = parts,
                       .part_count = 2};
  return (outcome){.result = nxc_put(cache, &record)};
}

static outcome perform_get(nxc_cache *cache, const operation *o, nxc_slice key) {
  char names[TAGS][8];
  nxc_slice tags[TAGS];
  nxc_query query = {.key = key, .soft_tags = tags};
  query.soft_tag_count = tag_slices(o->tags, names, tags);
  nxc_found found;
  outcome out = {.result = nxc_get(cache, &query, &found), .intact = true};
  out.why = found.why;
  out.dead_at_ms = found.dead_at_ms;
  if (found.entry == NULL) return out;
  nxc_slice value = nxc_entry_part(found.entry, 0), body = nxc_entry_part(found.entry, 1);
  unsigned char expected[4096];
  if (value.size == sizeof out.value) memcpy(&out.value, value.data, sizeof out.value);
  out.intact = value.size == sizeof out.value && body.size <= sizeof expected;
  if (out.intact) {
    fill(expected, out.value, body.size);
    out.intact = body.size == 0 || memcmp(body.data, expected, body.size) == 0;
  }
  nxc_entry_unref(found.entry);
  return out;
}

static outcome perform(nxc_cache **cache, const nxc_options *options, const operation *o) {
  char text[16], names[TAGS][8];
  nxc_slice tags[TAGS];
  (void)snprintf(text, sizeof text, "key %u", o->key);
  nxc_slice key = slice(text);
  switch (o->verb) {
  case PUT: return perform_put(*cache, o, key);
  case GET: return perform_get(*cache, o, key);
  case MARK:
    return (outcome){
        .result = nxc_mark(*cache, tags, tag_slices(o->tags, names, tags), o->dead_after_ms)};
  case REMOVE: return (outcome){.result = nxc_remove(*cache, key)};
  case CLEAR: return (outcome){.result = nxc_clear(*cache)};
  case BIRTH: return (outcome){.birth = nxc_birth(*cache)};
  case REOPEN: nxc_close(*cache); return (outcome){.result = nxc_open(cache, options)};
  case MEMORY: return (outcome){.result = nxc_set_memory(*cache, o->memory_bytes, o->memory_items)};
  case STOP: nxc_close(*cache); return (outcome){.result = NXC_OK};
  }
  return (outcome){.result = NXC_E_INVALID};
}

/* ---- the other process ------------------------------------------------------------- */

static int serve(const char *dir, int socket) {
  nxc_options options = test_options(dir);
  nxc_cache *cache = NULL;
  if (nxc_open(&cache, &options) != NXC_OK) return 1;
  for (;;) {
    operation o;
    if (read(socket, &o, sizeof o) != sizeof o) return 2;
    outcome out = perform(&cache, &options, &o);
    if (write(socket, &out, sizeof out) != sizeof out) return 3;
    if (o.verb == STOP) return 0;
  }
}

/* ---- the oracle --------------------------------------------------------------------- */

typedef struct mark {
  uint64_t order;
  unsigned tag;
  int64_t deadline_ms; /* dead from then; 0: at once; NXC_NEVER */
} mark;

typedef struct content {
  bool present;
  uint32_t value;
  uint64_t order; /* when the work that made it began */
  unsigned tags;
  int64_t created_ms, revalidate_ms, expire_ms;
} content;

typedef struct oracle {
  uint64_t order;  /* counts everything that happens */
  uint64_t origin; /* nothing from before is believed */
  content contents[KEYS];
  mark marks[MAX_MARKS];
  size_t mark_count;
} oracle;

typedef struct judgement {
  bool dead;
  bool may_be_dead; /* of two deadlines of a tag the earlier may hold for both */
  bool stale;
  int64_t dead_at_ms;
} judgement;

static int64_t later(int64_t a, int64_t b) {
  return b > NXC_NEVER - a ? NXC_NEVER : a + b;
}

static judgement judge(const oracle *o, const content *c, unsigned soft_tags, int64_t now_ms) {
  judgement j = {.dead_at_ms = later(c->created_ms, c->expire_ms)};
  bool stale_by[TAGS] = {false};
  j.dead = c->order < o->origin;
  j.stale = now_ms > later(c->created_ms, c->revalidate_ms);
  for (size_t i = 0; i < o->mark_count; i++) {
    const mark *m = &o->marks[i];
    if (!((c->tags | soft_tags) >> m->tag & 1) || m->order < c->order) continue;
    if (m->deadline_ms == 0) j.dead = true;
    if (m->deadline_ms == 0) continue;
    j.stale = stale_by[m->tag] = true;
    if (m->deadline_ms < j.dead_at_ms) j.dead_at_ms = m->deadline_ms;
  }
  j.dead = j.dead || j.dead_at_ms <= now_ms;
  j.may_be_dead = j.dead;
  for (size_t i = 0; i < o->mark_count; i++) {
    const mark *m = &o->marks[i];
    if (stale_by[m->tag] && m->deadline_ms && m->deadline_ms <= now_ms) j.may_be_dead = true;
  }
  return j;
}

/* ---- the play ------------------------------------------------------------------------- */

typedef struct play {
  uint64_t seed;
  test_random random;
  nxc_options options;
  char *dir;
  nxc_cache *cache;
  int peer; /* a socket; -1: alone */
  pid_t peer_process;
  oracle oracle;
  struct {
    uint64_t birth, order;
  } births[BIRTHS];
  uint32_t next_value;
  unsigned step;
  unsigned seen[NXC_MISS + 1]; /* answers to gets: a play must see all kinds */
} play;

#define CHECK(p, condition, ...)                                                       \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      print_message("seed %llu, step %u: ", (unsigned long long)(p)->seed, (p)->step); \
      print_message(__VA_ARGS__);                                                      \
      fail_msg("%s", #condition);                                                      \
    }                                                                                  \
  } while (0)

static unsigned below(play *p, unsigned bound) {
  return (unsigned)test_random_below(&p->random, bound);
}

/* Lets one of the two do it. */
static outcome act(play *p, bool by_peer, const operation *o) {
  if (!by_peer) return perform(&p->cache, &p->options, o);
  outcome out;
  assert_int_equal(write(p->peer, o, sizeof *o), sizeof *o);
  assert_int_equal(read(p->peer, &out, sizeof out), sizeof out);
  return out;
}

static bool either(play *p) {
  return p->peer >= 0 && below(p, 2);
}

static int64_t some_duration(play *p) {
  return below(p, 3) ? NXC_NEVER : (int64_t)below(p, 5000);
}

static void play_put(play *p) {
  int64_t now = test_clock_now(NULL);
  operation o = {.verb = PUT,
                 .key = below(p, KEYS),
                 .value = ++p->next_value,
                 .size = below(p, 2) ? below(p, 64) : below(p, 4000),
                 .tags = below(p, 1 << TAGS) & below(p, 1 << TAGS),
                 .created_ms = below(p, 4) ? 0 : now - below(p, 3000),
                 .revalidate_ms = some_duration(p),
                 .expire_ms = some_duration(p)};
  content c = {true,
               o.value,
               ++p->oracle.order,
               o.tags,
               o.created_ms ? o.created_ms : now,
               o.revalidate_ms,
               o.expire_ms};
  if (!below(p, 3)) { /* work that began some time ago */
    unsigned i = below(p, BIRTHS);
    o.birth = p->births[i].birth;
    if (o.birth) c.order = p->births[i].order;
  }
  judgement j = judge(&p->oracle, &c, 0, now);
  outcome out = act(p, either(p), &o);
  content *stored = &p->oracle.contents[o.key];
  if (out.result == NXC_BORN_DEAD) {
    CHECK(p, j.may_be_dead, "put of key %u: born dead\n", o.key);
    stored->present = false;
    return;
  }
  CHECK(p, !j.dead, "put of key %u: result %d\n", o.key, out.result);
  CHECK(p, out.result == (p->dir ? NXC_OK : NXC_MEMORY_ONLY), "put: result %d\n", out.result);
  *stored = c;
}

static void play_get(play *p) {
  operation o = {.verb = GET, .key = below(p, KEYS)};
  if (below(p, 2)) o.tags = 1u << below(p, TAGS);
  const content *c = &p->oracle.contents[o.key];
  bool by_peer = either(p);
  outcome out = act(p, by_peer, &o);
  int64_t now = test_clock_now(NULL);
  CHECK(p, out.result >= NXC_OK && out.result <= NXC_MISS, "get: result %d\n", out.result);
  p->seen[(unsigned)out.result % COUNT_OF(p->seen)]++;
  if (out.result == NXC_MISS) {
    judgement j = judge(&p->oracle, c, o.tags, now);
    CHECK(p, !c->present || j.may_be_dead, "key %u by %s: missed (why %d)\n", o.key,
          by_peer ? "peer" : "self", out.why);
    CHECK(p, out.why != NXC_WHY_CORRUPT && out.why != NXC_WHY_ERROR, "why %d\n", out.why);
    return;
  }
  judgement j = judge(&p->oracle, c, o.tags, now);
  CHECK(p, c->present, "key %u by %s: a hit of what is not there\n", o.key,
        by_peer ? "peer" : "self");
  CHECK(p, out.intact, "key %u: wrong bytes\n", o.key);
  CHECK(p, out.value == c->value, "key %u by %s: value %u, expected %u\n", o.key,
        by_peer ? "peer" : "self", out.value, c->value);
  CHECK(p, !j.dead, "key %u by %s: served, but dead\n", o.key, by_peer ? "peer" : "self");
  CHECK(p, (out.result == NXC_STALE) == j.stale, "key %u: result %d\n", o.key, out.result);
  CHECK(p, out.dead_at_ms <= j.dead_at_ms && out.dead_at_ms > now, "key %u: dead_at_ms\n", o.key);
}

static void play_mark(play *p) {
  static const int64_t delays[] = {0, 0, 0, NXC_NEVER, 1, 500, 3000};
  operation o = {.verb = MARK,
                 .tags = 1u << below(p, TAGS) | (below(p, 4) ? 0 : 1u << below(p, TAGS)),
                 .dead_after_ms = delays[below(p, COUNT_OF(delays))]};
  outcome out = act(p, either(p), &o);
  CHECK(p, out.result == NXC_OK, "mark: result %d\n", out.result);
  uint64_t order = ++p->oracle.order;
  for (unsigned tag = 0; tag < TAGS; tag++) {
    if (!(o.tags >> tag & 1) || p->oracle.mark_count == MAX_MARKS) continue;
    int64_t deadline = o.dead_after_ms ? later(test_clock_now(NULL), o.dead_after_ms) : 0;
    p->oracle.marks[p->oracle.mark_count++] = (mark){order, tag, deadline};
  }
}

static void forget_all(play *p) {
  for (unsigned i = 0; i < KEYS; i++) p->oracle.contents[i].present = false;
  p->oracle.origin = ++p->oracle.order;
}

static void play_clear(play *p) {
  operation o = {.verb = CLEAR};
  CHECK(p, act(p, either(p), &o).result == NXC_OK, "clear\n");
  forget_all(p);
}

/* Somebody removes the directory. A put looks at it every time, so after one by
 * each actor both know. */
static void play_wipe(play *p) {
  if (!p->dir) return;
  test_remove_tree(p->dir);
  forget_all(p);
  for (int by_peer = 0, last = p->peer >= 0 ? 1 : 0; by_peer <= last; by_peer++) {
    operation o = {
        .verb = PUT, .key = KEYS + 1, .revalidate_ms = NXC_NEVER, .expire_ms = NXC_NEVER};
    outcome out = act(p, by_peer, &o);
    CHECK(p, out.result == NXC_OK, "put after a wipe: result %d\n", out.result);
  }
}

static void play_remove(play *p) {
  operation o = {.verb = REMOVE, .key = below(p, KEYS)};
  CHECK(p, act(p, either(p), &o).result == NXC_OK, "remove\n");
  p->oracle.contents[o.key].present = false;
}

static void play_birth(play *p) {
  operation o = {.verb = BIRTH};
  unsigned i = below(p, BIRTHS);
  p->births[i].order = ++p->oracle.order;
  p->births[i].birth = act(p, either(p), &o).birth;
  CHECK(p, p->births[i].birth > 0, "birth\n");
}

static void play_reopen(play *p) {
  operation o = {.verb = REOPEN};
  CHECK(p, act(p, either(p), &o).result == NXC_OK, "reopen\n");
  if (!p->dir) forget_all(p);
  /* A cache in memory alone counts from anew: births of the old one mean nothing. */
  if (!p->dir) memset(p->births, 0, sizeof p->births);
}

static void play_memory(play *p) {
  if (!p->dir) return; /* an eviction there would be a miss */
  operation o = {.verb = MEMORY,
                 .memory_bytes = below(p, 3) ? below(p, 20000) : MB,
                 .memory_items = below(p, 2) ? 0 : below(p, 5)};
  CHECK(p, act(p, either(p), &o).result == NXC_OK, "set_memory\n");
}

static void play_step(play *p) {
  unsigned dice = below(p, 1000);
  if (dice < 280)
    play_put(p);
  else if (dice < 700)
    play_get(p);
  else if (dice < 780)
    play_mark(p);
  else if (dice < 820)
    play_remove(p);
  else if (dice < 900)
    play_birth(p);
  else if (dice < 970)
    test_clock_advance(below(p, 700));
  else if (dice < 985)
    play_memory(p);
  else if (dice < 993)
    play_reopen(p);
  else if (dice < 997)
    play_clear(p);
  else
    play_wipe(p);
}

static void play_open(play *p, bool memory, bool disk, bool peer) {
  test_clock_set(TEST_EPOCH_MS);
  p->dir = disk ? test_dir_make() : NULL;
  p->options = test_options(p->dir);
  if (!memory) p->options.memory_bytes = 0;
  p->cache = test_open_with(&p->options);
  p->peer = -1;
  if (!peer) return;
  int sockets[2];
  assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0);
  assert(fcntl(sockets[1], F_SETFD, 0) == 0); /* the peer inherits its own end alone */
  char socket[16];
  (void)snprintf(socket, sizeof socket, "%d", sockets[1]);
  p->peer_process = test_spawn((const char *const[]){"--serve", p->dir, socket, NULL});
  close(sockets[1]);
  p->peer = sockets[0];
}

static void play_close(play *p) {
  if (p->peer >= 0) {
    operation o = {.verb = STOP};
    (void)act(p, true, &o);
    close(p->peer);
    assert_int_equal(test_wait(p->peer_process), 0);
  }
  nxc_stats stats = test_stats(p->cache);
  CHECK(p, stats.corrupt == 0 && stats.disk_errors == 0 && stats.floor_raises <= p->step,
        "stats\n");
  nxc_close(p->cache);
  test_dir_remove(p->dir);
}

static void run(bool memory, bool disk, bool peer, uint64_t first_seed) {
  const char *chosen = getenv("NXC_TEST_SEED");
  uint64_t seeds = chosen ? 1 : 10;
  unsigned seen[NXC_MISS + 1] = {0};
  for (uint64_t i = 0; i < seeds; i++) {
    play *p = calloc(1, sizeof *p);
    p->seed = chosen ? strtoull(chosen, NULL, 10) : first_seed + i;
    p->random = test_random_seed(p->seed);
    play_open(p, memory, disk, peer);
    for (p->step = 0; p->step < OPERATIONS; p->step++) play_step(p);
    for (unsigned kind = 0; kind <= NXC_MISS; kind++) seen[kind] += p->seen[kind];
    play_close(p);
    free(p);
  }
  /* A play that saw no hits, or no stale ones, would prove nothing. */
  assert_true(seen[NXC_OK] > 500 * seeds / 10);
  assert_true(seen[NXC_STALE] > 100 * seeds / 10);
  assert_true(seen[NXC_MISS] > 500 * seeds / 10);
}

static void memory_alone(void **state) {
  (void)state;
  run(true, false, false, 1000);
}

static void disk_alone(void **state) {
  (void)state;
  run(false, true, false, 2000);
}

static void both_tiers(void **state) {
  (void)state;
  run(true, true, false, 3000);
}

static void both_tiers_in_two_processes(void **state) {
  (void)state;
  run(true, true, true, 4000);
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "--serve") == 0) return serve(argv[2], atoi(argv[3]));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_alone),
      cmocka_unit_test(disk_alone),
      cmocka_unit_test(both_tiers),
      cmocka_unit_test(both_tiers_in_two_processes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
