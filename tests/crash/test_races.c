/* test_races.c - interleavings that chance would hardly find, played out step by
 * step: who stops where, what the words are then, and what a reader must see.
 *
 * "A peer" is another process, driven over a socket; a put that is "stopped" is
 * begun with nxc__put_begin() and finished when told.
 */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "tags.h"

#define TAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- a peer --------------------------------------------------------------------- */

typedef struct message {
  char what; /* o)pen p)ut g)et r)emove m)ark c)lear j)udge e)nd */
  char key[64];
  char value[64];
  char tag[64];
  int result;
} message;

typedef struct peer {
  pid_t process;
  int socket;
} peer;

static void obey(nxc_cache **cache, message *m) {
  const char *const tags[] = {m->tag[0] ? m->tag : NULL, NULL};
  switch (m->what) {
  case 'o': {
    nxc_options options = test_options(m->key);
    m->result = nxc_open(cache, &options);
    break;
  }
  case 'p': m->result = test_put(*cache, m->key, m->value, tags); break;
  case 'g': {
    test_answer answer = test_get(*cache, m->key);
    m->result = answer.result;
    memcpy(m->value, answer.value, sizeof m->value - 1);
    break;
  }
  case 'r': m->result = nxc_remove(*cache, slice(m->key)); break;
  case 'm': m->result = test_mark(*cache, m->tag, 0); break;
  case 'c': m->result = nxc_clear(*cache); break;
  default: nxc_close(*cache); _exit(0);
  }
}

static peer peer_start(void) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  peer p = {.process = fork(), .socket = ends[0]};
  assert_true(p.process >= 0);
  if (p.process == 0) {
    message m;
    nxc_cache *cache = NULL;
    close(ends[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(ends[1], &m, sizeof m) == (ssize_t)sizeof m) {
      obey(&cache, &m);
      if (write(ends[1], &m, sizeof m) != (ssize_t)sizeof m) break;
    }
    _exit(1);
  }
  close(ends[1]);
  return p;
}

static message ask(const peer *p, char what, const char *key, const char *value, const char *tag) {
  message m = {.what = what};
  (void)snprintf(m.key, sizeof m.key, "%s", key);
  (void)snprintf(m.value, sizeof m.value, "%s", value);
  (void)snprintf(m.tag, sizeof m.tag, "%s", tag);
  assert_int_equal(write(p->socket, &m, sizeof m), sizeof m);
  assert_int_equal(read(p->socket, &m, sizeof m), sizeof m);
  return m;
}

static void peer_end(peer *p) {
  close(p->socket);
  kill(p->process, SIGKILL); /* another peer may hold the other end */
  waitpid(p->process, NULL, 0);
}

/* ---- the rig ---------------------------------------------------------------------- */

typedef struct rig {
  char *dir;
  peer peer;
  nxc_cache *cache;
} rig;

static int set_up(void **state) {
  rig *r = calloc(1, sizeof *r);
  r->dir = test_dir_make();
  test_clock_set(TEST_EPOCH_MS);
  r->peer = peer_start(); /* before anything is open here */
  r->cache = test_open(r->dir);
  assert_int_equal(ask(&r->peer, 'o', r->dir, "", "").result, NXC_OK);
  *state = r;
  return 0;
}

static int tear_down(void **state) {
  rig *r = *state;
  peer_end(&r->peer);
  nxc_close(r->cache);
  test_dir_remove(r->dir);
  free(r);
  return 0;
}

/* What a look-up answers, as text; "" on a miss. */
static const char *here(const rig *r, const char *key) {
  static test_answer answer;
  answer = test_get(r->cache, key);
  return answer.result == NXC_MISS ? "" : answer.value;
}

static const char *there(const rig *r, const char *key) {
  static message m;
  m = ask(&r->peer, 'g', key, "", "");
  return m.result == NXC_MISS ? "" : m.value;
}

static nxc_entry *entry_of(nxc_cache *cache, const char *key, const char *value, size_t size) {
  nxc_entry *entry = NULL;
  nxc_slice part = {NULL, size ? size : strlen(value) + 1};
  nxc_record record = test_record(slice(key), &part);
  assert_int_equal(nxc_entry_create(cache, &record, &entry), NXC_OK);
  memset(nxc_entry_blank(entry, 0), 0, part.size);
  memcpy(nxc_entry_blank(entry, 0), value, strlen(value));
  return entry;
}

static nxc__put begin(const rig *r, const char *key, const char *value) {
  nxc__put put;
  nxc_entry *entry = entry_of(r->cache, key, value, 0);
  assert_int_equal(nxc__put_begin(r->cache, entry, &put), NXC_OK);
  nxc_entry_unref(entry);
  return put;
}

/* Lets the ring run through so many segments of 1 MB. */
static void turn(const rig *r, int segments) {
  nxc_entry *entry = entry_of(r->cache, "filler", "x", 1000 * 1024);
  for (int i = 0; i < segments; i++) (void)nxc_put_entry(r->cache, entry);
  nxc_entry_unref(entry);
}

/* ---- clearing ------------------------------------------------------------------------ */

/* The peer cleared and stored; who still maps the old store clears again. */
static void a_clear_reaches_a_store_that_it_did_not_know(void **state) {
  rig *r = *state;
  assert_int_equal(ask(&r->peer, 'c', "", "", "").result, NXC_OK);
  assert_int_equal(ask(&r->peer, 'p', "key", "before", "").result, NXC_OK);
  assert_int_equal(nxc_clear(r->cache), NXC_OK);
  assert_string_equal(there(r, "key"), "");
  assert_string_equal(here(r, "key"), "");
}

/* The rows of a store that is over know nothing of marks made since. */
static void a_judgement_obeys_marks_made_after_a_clear(void **state) {
  rig *r = *state;
  nxc_found found;
  nxc_slice tag = slice("tag");
  nxc_record record = {.created_ms = TEST_EPOCH_MS - 5000, .tags = &tag, .tag_count = 1};
  record.revalidate_ms = record.expire_ms = NXC_NEVER;
  assert_int_equal(nxc_judge(r->cache, &record, NULL, 0, &found), NXC_OK);
  assert_int_equal(ask(&r->peer, 'c', "", "", "").result, NXC_OK);
  assert_int_equal(ask(&r->peer, 'm', "", "", "tag").result, NXC_OK);
  assert_int_equal(nxc_judge(r->cache, &record, NULL, 0, &found), NXC_MISS);
}

/* The directory goes, a newcomer that never saw it makes a new one; who did see it
 * die knows that marks are gone, so build output from before is not believed. */
static void what_a_newcomer_did_not_see_die_is_told_it(void **state) {
  rig *r = *state;
  nxc_found found;
  nxc_record record = {.created_ms = TEST_EPOCH_MS - 5000};
  nxc_slice tag = slice("tag");
  record.tags = &tag;
  record.tag_count = 1;
  record.revalidate_ms = record.expire_ms = NXC_NEVER;
  assert_int_equal(test_mark(r->cache, "tag", 0), NXC_OK);
  assert_int_equal(nxc_judge(r->cache, &record, NULL, 0, &found), NXC_MISS);
  peer newcomer = peer_start();
  test_remove_tree(r->dir);
  assert_int_equal(ask(&newcomer, 'o', r->dir, "", "").result, NXC_OK);
  assert_int_equal(test_put(r->cache, "other", "x", NULL), NXC_OK); /* notices */
  assert_int_equal(nxc_judge(r->cache, &record, NULL, 0, &found), NXC_MISS);
  peer_end(&newcomer);
}

/* Two stores that never knew of each other may have reached the same epoch: then a
 * birth in the one that died must not pass for a birth in the other. */
static void a_birth_of_a_dead_store_is_not_believed_by_a_strange_one(void **state) {
  rig *r = *state;
  char path[4200];
  nxc__index *strange;
  uint64_t birth = nxc_birth(r->cache);
  test_clock_advance(-60000); /* the newcomer's epoch is below ours */
  peer newcomer = peer_start();
  test_remove_tree(r->dir);
  assert_int_equal(ask(&newcomer, 'o', r->dir, "", "").result, NXC_OK);
  (void)snprintf(path, sizeof path, "%s/v1", r->dir);
  int fd = open(path, O_RDONLY | O_DIRECTORY);
  assert_int_equal(nxc__index_open(fd, &strange), NXC_OK);
  close(fd);
  assert_true(nxc__epoch_load(strange) < birth);
  atomic_store(&strange->header->epoch, birth + 1); /* as its own history may have it */
  atomic_store(&strange->header->origin, birth);
  atomic_store(&strange->header->floor, birth);
  nxc_slice part = slice("old");
  nxc_record record = test_record(slice("key"), &part);
  record.birth = birth;
  assert_int_equal(nxc_put(r->cache, &record), NXC_BORN_DEAD);
  assert_string_equal(here(r, "key"), "");
  nxc__index_close(strange);
  peer_end(&newcomer);
}

/* A cache that lives in memory, because its directory cannot be used for now; there "key" is
 * stored with "tag". */
static nxc_cache *open_beside(const rig *r, const nxc_options *options) {
  char ours[4200], aside[4200];
  (void)snprintf(ours, sizeof ours, "%s/v1", options->dir);
  (void)snprintf(aside, sizeof aside, "%s/aside", r->dir);
  nxc_cache *c = test_open_with(options);
  assert_int_equal(test_put(c, "key", "old", TAGS("tag")), NXC_OK);
  nxc_close(c);
  assert_int_equal(rename(ours, aside), 0);
  int file = open(ours, O_CREAT | O_WRONLY, 0600);
  assert_true(file >= 0);
  close(file);
  return test_open_with(options);
}

static void come_back(const rig *r, nxc_cache *c) {
  char ours[4200], aside[4200];
  (void)snprintf(ours, sizeof ours, "%s/own/v1", r->dir);
  (void)snprintf(aside, sizeof aside, "%s/aside", r->dir);
  assert_int_equal(unlink(ours), 0);
  assert_int_equal(rename(aside, ours), 0);
  atomic_store(&c->engine->retry_at_ms, 0);
  assert_true(nxc__refresh(c->engine)); /* as a get of any thread does it */
  assert_int_equal(test_stats(c).disk, 1);
}

/* A mark that only memory knows, and the directory comes back before it is flushed: what is
 * there is from before. */
static void a_mark_is_not_lost_when_the_directory_comes_back(void **state) {
  const rig *r = *state;
  char dir[4200];
  nxc_slice tag = slice("tag");
  nxc__store *marked;
  (void)snprintf(dir, sizeof dir, "%s/own", r->dir);
  const nxc_options options = test_options(dir);
  nxc_cache *c = open_beside(r, &options);
  assert_int_equal(nxc__mark(c, &tag, 1, 0, &marked), NXC_OK);
  come_back(r, c);
  assert_int_equal(nxc__mark_flush(c, marked), NXC_E_IO);
  assert_int_equal(test_get(c, "key").result, NXC_MISS);
  nxc_close(c);
}

/* Another thread, for which a clock that the engine asks stands in. */
static nxc_cache *asked;
static int hits;

static int64_t get_meanwhile(void *unused) {
  nxc_cache *c = asked;
  asked = NULL; /* the get asks the clock, too */
  if (c) hits += test_get(c, "key").result == NXC_OK;
  asked = c;
  return test_clock_now(unused);
}

static void nor_before_it_is_known_there(void **state) {
  const rig *r = *state;
  char dir[4200];
  (void)snprintf(dir, sizeof dir, "%s/own", r->dir);
  nxc_options options = test_options(dir);
  options.now_ms = get_meanwhile;
  nxc_cache *c = open_beside(r, &options);
  assert_int_equal(test_mark(c, "tag", 0), NXC_E_IO);
  atomic_store(&c->engine->check_at_ms, INT64_MAX); /* only we look at the directory */
  asked = c;
  come_back(r, c);
  asked = NULL;
  assert_int_equal(hits, 0);
  assert_int_equal(test_get(c, "key").result, NXC_MISS);
  nxc_close(c);
}

/* ---- two puts of one key ---------------------------------------------------------------- */

/* The first is too large for the disk and is finished last: the order of the
 * beginnings still holds. */
static void a_put_that_cannot_be_written_does_not_undo_a_later_one(void **state) {
  rig *r = *state;
  nxc__put put;
  assert_int_equal(nxc_set_memory(r->cache, 64 * MB, 0), NXC_OK);
  nxc_entry *large = entry_of(r->cache, "key", "first", 3 * MB);
  assert_int_equal(nxc__put_begin(r->cache, large, &put), NXC_OK);
  nxc_entry_unref(large);
  assert_int_equal(test_put(r->cache, "key", "second", NULL), NXC_OK);
  (void)nxc__put_finish(&put);
  assert_string_equal(here(r, "key"), "second");
  assert_string_equal(there(r, "key"), "second");
}

/* An older one that comes last leaves the newer one where it is, in memory too. */
static void a_put_that_is_late_takes_nothing_out_of_memory(void **state) {
  rig *r = *state;
  assert_int_equal(nxc_set_memory(r->cache, 64 * MB, 0), NXC_OK);
  nxc__put sleeper = begin(r, "key", "old");
  assert_int_equal(test_put(r->cache, "key", "new", NULL), NXC_OK);
  assert_int_equal(nxc__put_finish(&sleeper), NXC_SUPERSEDED);
  test_answer answer = test_get(r->cache, "key");
  assert_string_equal(answer.value, "new");
  assert_int_equal(answer.in_memory, 1);
}

/* Stopped between its reservation and its write until the ring went round: the
 * newer version stays, and the old value is not kept in memory either. */
static void a_put_that_slept_a_round_does_not_undo_a_newer_one(void **state) {
  rig *r = *state;
  nxc__put sleeper = begin(r, "key", "old");
  turn(r, 9);
  assert_int_equal(ask(&r->peer, 'p', "key", "new", "").result, NXC_OK);
  assert_string_equal(here(r, "key"), "new");
  (void)nxc__put_finish(&sleeper);
  assert_string_not_equal(here(r, "key"), "old");
  assert_string_equal(there(r, "key"), "new");
}

static bool keep_it(void *arg, const nxc_entry *entry) {
  (void)arg;
  (void)entry;
  return true;
}

/* Both reserved in one segment; the newer is published, used, and copied forward
 * when that segment is the next to go; then the older one wakes. */
static void a_copy_of_a_newer_version_is_not_beaten_by_an_older_put(void **state) {
  rig *r = *state;
  nxc__put sleeper = begin(r, "key", "old");
  assert_int_equal(test_put(r->cache, "key", "new", NULL), NXC_OK);
  nxc__store *store = nxc__store_ref(sleeper.store);
  for (int i = 0; i < 9 && test_stats(r->cache).disk_moved == 0; i++) {
    assert_string_equal(there(r, "key"), "new");
    turn(r, 1);
    nxc__ring_move(&store->ring, keep_it, NULL);
  }
  assert_true(test_stats(r->cache).disk_moved > 0);
  (void)nxc__put_finish(&sleeper);
  assert_string_not_equal(there(r, "key"), "old");
  assert_string_not_equal(here(r, "key"), "old");
  nxc__store_unref(store);
}

/* ---- stopped between a look and a CAS --------------------------------------------------------- */

/* The page of a bucket is made read-only: who looks at it goes on, and who changes it
 * is stopped at that very instruction, until `meanwhile` has run. */
static struct {
  void *page;
  void (*meanwhile)(void);
} trap;

static void on_fault(int signal_number) {
  void (*meanwhile)(void) = trap.meanwhile;
  if (!meanwhile) {
    signal(signal_number, SIG_DFL); /* a real one: again, and for good */
    return;
  }
  trap.meanwhile = NULL;
  (void)mprotect(trap.page, 4096, PROT_READ | PROT_WRITE);
  meanwhile();
}

static void set_trap(void *address, void (*meanwhile)(void)) {
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
  assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
  trap.page = (char *)address - (uintptr_t)address % 4096;
  trap.meanwhile = meanwhile;
  assert_int_equal(mprotect(trap.page, 4096, PROT_READ), 0);
}

static struct {
  nxc__store *store;
  nxc__hash hash;
  nxc__word *bucket;
  nxc__write late;
  nxc__token token;
  int result;
} other;

/* Another process inserts the key into the second slot, for the first is taken just
 * then; and leaves the first one empty again. */
static void insert_beside(void) {
  uint64_t stranger = (~other.hash.hi >> 48) << 48 | (other.late.word & ((UINT64_C(1) << 46) - 1));
  atomic_store(&other.bucket[0], stranger);
  other.result = nxc__ring_commit(&other.store->ring, &other.late, &other.token);
  atomic_store(&other.bucket[0], 0);
}

/* The earlier of two inserters is stopped before its CAS, the later one returns: the
 * earlier one must notice that it lost, or it would believe its token for ever. */
static void an_inserter_that_lost_notices_it(void **state) {
  rig *r = *state;
  nxc__write early;
  nxc__token token = {NULL, 0};
  nxc__put put = begin(r, "warm", "x"); /* lends us its store */
  const nxc__index *x = put.store->index;
  other.store = put.store;
  other.hash = nxc__hash_key(&x->secret, slice("key"));
  other.bucket = x->slots + (size_t)nxc__hash_place(other.hash.lo, x->geometry.buckets) * NXC__WAYS;
  nxc__ring *ring = &put.store->ring;
  assert_int_equal(nxc__ring_reserve(ring, other.hash, NULL, &early), NXC_OK);
  assert_int_equal(nxc__ring_reserve(ring, other.hash, NULL, &other.late), NXC_OK);
  set_trap(other.bucket, insert_beside);
  assert_int_equal(nxc__ring_commit(ring, &early, &token), NXC_SUPERSEDED);
  assert_null(trap.meanwhile); /* it was stopped there */
  assert_int_equal(other.result, NXC_OK);
  assert_true(nxc__token_holds(&other.token));
  assert_int_equal(atomic_load(&other.bucket[0]), 0);
  (void)nxc__put_finish(&put);
}

/* ---- marks ----------------------------------------------------------------------------- */

/* A process killed after it wrote the row and before it moved the epoch: new work
 * must not stay "born before the mark" for ever. */
static void a_mark_that_was_killed_half_way_blocks_nobody(void **state) {
  rig *r = *state;
  nxc__store *store;
  nxc_slice tag = slice("tag");
  assert_int_equal(nxc__mark(r->cache, &tag, 1, 0, &store), NXC_OK);
  atomic_fetch_sub(&store->index->header->epoch, 1); /* what the killed one left */
  nxc__store_unref(store);
  int kept = 0;
  for (int i = 0; i < 3; i++) {
    if (test_put(r->cache, "key", "value", TAGS("tag")) == NXC_OK) kept++;
  }
  assert_true(kept > 0);
  assert_string_equal(there(r, "key"), "value");
}

/* So many others are marked that the row in hand is taken for one of them. */
static void mark_others(void) {
  for (int i = 0; i < NXC__WAYS; i++) {
    char text[16];
    (void)snprintf(text, sizeof text, "other-%d", i);
    nxc_slice tag = slice(text);
    nxc__tags_mark(other.store->index, &tag, 1, 0, TEST_EPOCH_MS);
  }
}

/* Stopped between finding the row and writing it. */
static void a_mark_whose_row_was_taken_away_is_not_lost(void **state) {
  char *dir = test_dir_make();
  nxc_options options = test_options(dir);
  options.tag_rows = NXC__WAYS; /* one bucket */
  rig r = {.cache = test_open_with(&options)};
  (void)state;
  assert_int_equal(test_mark(r.cache, "tag", 0), NXC_OK);
  assert_int_equal(test_put(r.cache, "key", "value", TAGS("tag")), NXC_OK);
  assert_string_equal(here(&r, "key"), "value");
  nxc__put put = begin(&r, "warm", "x"); /* lends us its store */
  other.store = put.store;
  set_trap(put.store->index->tag_buckets, mark_others);
  assert_int_equal(test_mark(r.cache, "tag", 0), NXC_OK);
  assert_null(trap.meanwhile);
  assert_string_equal(here(&r, "key"), "");
  (void)nxc__put_finish(&put);
  nxc_close(r.cache);
  test_dir_remove(dir);
}

/* ---- handles ------------------------------------------------------------------------------ */

static int told_after_close;

static void on_error_after_close(void *arg, const char *text) {
  (void)text;
  if (*(int *)arg) told_after_close++;
}

/* Two handles share an engine; the callback of the one that was closed is over. */
static void a_closed_handle_is_told_nothing(void **state) {
  rig *r = *state;
  static int closed;
  char *dir = test_dir_make();
  nxc_options options = test_options(dir);
  nxc_cache *first, *second;
  options.on_error = on_error_after_close;
  options.on_error_arg = &closed;
  assert_int_equal(nxc_open(&first, &options), NXC_OK);
  options.on_error = NULL;
  assert_int_equal(nxc_open(&second, &options), NXC_OK);
  nxc_close(first);
  closed = 1;
  test_remove_tree(dir);
  int fd = open(dir, O_CREAT | O_WRONLY, 0600); /* a file in the directory's place */
  assert_true(fd >= 0);
  close(fd);
  (void)test_put(second, "key", "value", NULL);
  assert_int_equal(told_after_close, 0);
  nxc_close(second);
  test_dir_remove(dir);
  (void)r;
}

#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_RIG(a_clear_reaches_a_store_that_it_did_not_know),
      ON_RIG(a_judgement_obeys_marks_made_after_a_clear),
      ON_RIG(what_a_newcomer_did_not_see_die_is_told_it),
      ON_RIG(a_birth_of_a_dead_store_is_not_believed_by_a_strange_one),
      ON_RIG(a_mark_is_not_lost_when_the_directory_comes_back),
      ON_RIG(nor_before_it_is_known_there),
      ON_RIG(a_put_that_cannot_be_written_does_not_undo_a_later_one),
      ON_RIG(a_put_that_is_late_takes_nothing_out_of_memory),
      ON_RIG(a_put_that_slept_a_round_does_not_undo_a_newer_one),
      ON_RIG(a_copy_of_a_newer_version_is_not_beaten_by_an_older_put),
      ON_RIG(an_inserter_that_lost_notices_it),
      ON_RIG(a_mark_that_was_killed_half_way_blocks_nobody),
      cmocka_unit_test(a_mark_whose_row_was_taken_away_is_not_lost),
      ON_RIG(a_closed_handle_is_told_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
