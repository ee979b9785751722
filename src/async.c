/* async.c - the blocking calls on a libuv loop: what may wait for the disk runs on
 * the loop's thread pool, everything else at once.
 *
 * Gets of one key that wait at the same time share one read. A get may take the
 * result of a read that began before it only if the entry is still the current one
 * afterwards; otherwise it looks anew.
 */
#include "nextcache_uv.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cache.h"

/* ---- get -------------------------------------------------------------------------- */

typedef struct waiter {
  nxc_query query; /* its key and tags are copies behind this struct */
  nxc_uv_get_cb callback;
  void *arg;
  struct waiter *next;
} waiter;

typedef struct nxc__reading {
  uv_work_t work;
  nxc_cache *cache;
  waiter *waiters; /* the first one began the read */
  nxc__fetched fetched;
  struct nxc__reading *prev, *next; /* in the handle's list; else it belongs to its loop */
} reading;

static size_t bytes_of(const nxc_query *q) {
  size_t n = q->key.size;
  for (size_t i = 0; i < q->soft_tag_count; i++) n += q->soft_tags[i].size;
  return n;
}

static nxc_slice copy(nxc_slice s, char **to) {
  nxc_slice copied = {*to, s.size};
  if (s.size) memcpy(*to, s.data, s.size);
  *to += s.size;
  return copied;
}

static waiter *waiter_new(const nxc_query *q, nxc_uv_get_cb callback, void *arg) {
  size_t tags_bytes = q->soft_tag_count * sizeof(nxc_slice);
  waiter *w = malloc(sizeof *w + tags_bytes + bytes_of(q));
  if (!w) return NULL;
  nxc_slice *tags = (nxc_slice *)(w + 1);
  char *text = (char *)(tags + q->soft_tag_count);
  *w = (waiter){.query = *q, .callback = callback, .arg = arg};
  w->query.key = copy(q->key, &text);
  for (size_t i = 0; i < q->soft_tag_count; i++) tags[i] = copy(q->soft_tags[i], &text);
  w->query.soft_tags = tags;
  return w;
}

static bool same_key(nxc_slice a, nxc_slice b) {
  return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

static void read_work(uv_work_t *work) {
  reading *r = (reading *)work;
  nxc__fetch(r->cache, r->waiters->query.key, &r->fetched);
}

/* A get that joined: answered by what was read, or by a look of its own. */
static int answer_joined(const reading *r, const waiter *w, nxc_found *found) {
  if (nxc__fetched_stands(r->cache, &r->fetched)) {
    return nxc__conclude(r->cache, &w->query, &r->fetched, found);
  }
  return nxc_uv_get(r->work.loop, r->cache, &w->query, found, w->callback, w->arg);
}

static void read_done(uv_work_t *work, int status) {
  reading *r = (reading *)work;
  (void)status; /* nobody cancels */

  uv_mutex_lock(&r->cache->readings_lock);
  DL_DELETE(r->cache->readings, r);
  uv_mutex_unlock(&r->cache->readings_lock);
  bool first = true;
  while (r->waiters) {
    waiter *w = r->waiters;
    nxc_found found = {.dead_at_ms = NXC_NEVER};
    LL_DELETE(r->waiters, w);
    int rc = first ? nxc__conclude(r->cache, &w->query, &r->fetched, &found)
                   : answer_joined(r, w, &found);
    first = false;
    if (rc != NXC_PENDING) w->callback(w->arg, rc, &found);
    free(w);
  }
  nxc__fetched_release(&r->fetched);
  free(r);
}

/* The read under way for this key on this loop, or NULL. */
static reading *find_reading(const uv_loop_t *loop, nxc_cache *cache, nxc_slice key) {
  reading *r;
  uv_mutex_lock(&cache->readings_lock);
  DL_FOREACH (cache->readings, r) {
    if (r->work.loop == loop && same_key(r->waiters->query.key, key)) break;
  }
  uv_mutex_unlock(&cache->readings_lock);
  return r;
}

static int start_reading(uv_loop_t *loop, nxc_cache *cache, waiter *w) {
  reading *r = calloc(1, sizeof *r);
  if (!r) return NXC_E_NOMEM;
  r->cache = cache;
  r->waiters = w;
  r->work.loop = loop;
  if (uv_queue_work(loop, &r->work, read_work, read_done)) {
    free(r);
    return NXC_E_NOMEM;
  }
  uv_mutex_lock(&cache->readings_lock);
  DL_APPEND(cache->readings, r);
  uv_mutex_unlock(&cache->readings_lock);
  return NXC_PENDING;
}

int nxc_uv_get(uv_loop_t *loop, nxc_cache *cache, const nxc_query *query, nxc_found *found,
               nxc_uv_get_cb callback, void *arg) {
  if (!loop || !callback) return NXC_E_INVALID;
  int rc = nxc__get(cache, query, true, found);
  if (rc != NXC__WOULD_BLOCK) return rc;

  waiter *w = waiter_new(query, callback, arg);
  if (!w) return NXC_E_NOMEM;
  reading *r = find_reading(loop, cache, query->key);
  if (r) {
    LL_APPEND(r->waiters, w);
    return NXC_PENDING;
  }
  rc = start_reading(loop, cache, w);
  if (rc != NXC_PENDING) free(w);
  return rc;
}

int nxc_uv_unchanged(nxc_cache *cache, unsigned class_id, const uint64_t stamp[4]) {
  return stamp ? nxc__unchanged(cache, class_id, stamp) : 0;
}

/* ---- put, mark, remove, clear ------------------------------------------------------
 *
 * Without memory or a worker they are done in the call: slow, but done. A put or a mark
 * that was not made would leave an old version behind.
 */

typedef struct task {
  uv_work_t work;
  int (*run)(struct task *task); /* on a worker */
  nxc_uv_cb callback;
  void *arg;
  nxc_cache *cache;
  int result;
  nxc__put put;
  nxc__store *store;
  nxc_slice key; /* a copy behind this struct */
} task;

static task *task_new(nxc_cache *cache, int (*run)(task *), nxc_slice key, nxc_uv_cb callback,
                      void *arg) {
  task *t = calloc(1, sizeof *t + key.size);
  if (!t) return NULL;
  char *text = (char *)(t + 1);
  t->cache = cache;
  t->run = run;
  t->key = copy(key, &text);
  t->callback = callback;
  t->arg = arg;
  return t;
}

static void task_work(uv_work_t *work) {
  task *t = (task *)work;
  t->result = t->run(t);
}

static void task_done(uv_work_t *work, int status) {
  task *t = (task *)work;
  (void)status;
  t->callback(t->arg, t->result);
  free(t);
}

static int task_start(uv_loop_t *loop, task *t) {
  if (uv_queue_work(loop, &t->work, task_work, task_done) == 0) return NXC_PENDING;
  int rc = t->run(t);
  free(t);
  return rc;
}

static int check_call(const uv_loop_t *loop, const nxc_cache *cache, nxc_uv_cb callback) {
  return loop && callback ? nxc__usable(cache) : NXC_E_INVALID;
}

static int run_put(task *t) {
  return nxc__put_finish(&t->put);
}

/* Goes on with a put or a remove that was begun with this result. */
static int begun(uv_loop_t *loop, task *t, int rc) {
  if (rc == NXC_OK && nxc__put_blocks(&t->put)) return task_start(loop, t);
  if (rc == NXC_OK) rc = nxc__put_finish(&t->put);
  free(t);
  return rc;
}

int nxc_uv_put(uv_loop_t *loop, nxc_cache *cache, nxc_entry *entry, nxc_uv_cb callback, void *arg) {
  int rc = check_call(loop, cache, callback);
  if (rc != NXC_OK) return rc;
  task *t = task_new(cache, run_put, (nxc_slice){NULL, 0}, callback, arg);
  if (!t) return nxc_put_entry(cache, entry);
  return begun(loop, t, nxc__put_begin(cache, entry, &t->put));
}

/* Several puts, in the order of their positions. */
typedef struct batch {
  uv_work_t work;
  nxc_uv_cb callback;
  void *arg;
  size_t count;
  nxc__put puts[];
} batch;

static void batch_work(uv_work_t *work) {
  batch *b = (batch *)work;
  for (size_t i = 0; i < b->count; i++) nxc__put_finish(&b->puts[i]);
}

static void batch_done(uv_work_t *work, int status) {
  batch *b = (batch *)work;
  (void)status;
  b->callback(b->arg, NXC_OK);
  free(b);
}

int nxc_uv_put_all(uv_loop_t *loop, nxc_cache *cache, nxc_entry *const *entries, size_t count,
                   nxc_uv_cb callback, void *arg) {
  int rc = check_call(loop, cache, callback);
  if (rc != NXC_OK || !count) return rc;
  if (!entries) return NXC_E_INVALID;
  batch *b = calloc(1, sizeof *b + count * sizeof *b->puts);
  if (!b) {
    for (size_t i = 0; i < count; i++) (void)nxc_put_entry(cache, entries[i]);
    return NXC_OK;
  }
  b->callback = callback;
  b->arg = arg;
  for (size_t i = 0; i < count; i++) {
    if (nxc__put_begin(cache, entries[i], &b->puts[b->count]) == NXC_OK) b->count++;
  }
  bool on_disk = b->count && b->puts[0].store->disk;
  if (on_disk && uv_queue_work(loop, &b->work, batch_work, batch_done) == 0) return NXC_PENDING;
  batch_work(&b->work);
  free(b);
  return NXC_OK;
}

static int run_flush(task *t) {
  return nxc__mark_flush(t->cache, t->store);
}

int nxc_uv_mark(uv_loop_t *loop, nxc_cache *cache, const nxc_slice *tags, size_t tag_count,
                int64_t dead_after_ms, nxc_uv_cb callback, void *arg) {
  int rc = check_call(loop, cache, callback);
  if (rc != NXC_OK || !tag_count) return rc;
  task *t = task_new(cache, run_flush, (nxc_slice){NULL, 0}, callback, arg);
  if (!t) return nxc_mark(cache, tags, tag_count, dead_after_ms);
  rc = nxc__mark(cache, tags, tag_count, dead_after_ms, &t->store);
  if (rc == NXC_OK && t->store->disk) return task_start(loop, t);
  if (rc == NXC_OK) rc = run_flush(t);
  free(t);
  return rc;
}

int nxc_uv_remove(uv_loop_t *loop, nxc_cache *cache, nxc_slice key, nxc_uv_cb callback, void *arg) {
  int rc = check_call(loop, cache, callback);
  if (rc != NXC_OK) return rc;
  if (!nxc__is_sane(key)) return NXC_E_INVALID;
  task *t = task_new(cache, run_put, key, callback, arg);
  if (!t) return nxc_remove(cache, key);
  return begun(loop, t, nxc__remove_begin(cache, t->key, &t->put));
}

static int run_clear(task *t) {
  return nxc_clear(t->cache);
}

int nxc_uv_clear(uv_loop_t *loop, nxc_cache *cache, nxc_uv_cb callback, void *arg) {
  int rc = check_call(loop, cache, callback);
  if (rc != NXC_OK) return rc;
  task *t = task_new(cache, run_clear, (nxc_slice){NULL, 0}, callback, arg);
  return t ? task_start(loop, t) : nxc_clear(cache);
}
