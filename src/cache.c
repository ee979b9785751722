/* cache.c - the composition: one engine per directory and process, handles on it.
 *
 *   handle -> engine -> memory tier      behind the engine's one mutex
 *                    -> store            replaced as a whole, counted
 *
 * No disk, no callback and no large allocation happens under the mutex; a store is
 * used outside of it through a reference. A get looks at the clock and, at most
 * every 100 ms, at the directory; a put, a remove and a mark look at the directory
 * every time. Who finds that the directory holds another store than the mapped one
 * kills the old one for all, opens the new one and empties the memory tier.
 */
#include "cache.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>
#include <uv.h>

#include "tags.h"

#define MIB (UINT64_C(1) << 20)
#define CHECK_MS 100      /* between two looks at the directory by gets */
#define RETRY_MS 5000     /* between two tries of a directory that failed */
#define COMPLAIN_MS 60000 /* between two lines about one cause */
#define REOPENS 8         /* of one call, while others keep replacing the store */

enum cause { CAUSE_DIRECTORY, CAUSE_BOUND, CAUSE_FLUSH, CAUSE_SPACE, CAUSES };

struct nxc__engine {
  nxc__engine *prev, *next; /* in the process's list */
  nxc_cache *handles;       /* behind `tell_lock` */
  uv_mutex_t tell_lock;     /* held while the host is told, recursive: it may call back */
  unsigned generation;      /* of fork() */
  char *dir;                /* NULL: no disk is wanted */
  nxc_options options;

  uv_mutex_t lock; /* of the next three */
  nxc__memory *memory;
  nxc__store *store;
  bool unshared; /* something was changed while the directory could not be used */

  uv_mutex_t reopen_lock;   /* taken before `lock` */
  atomic_llong check_at_ms; /* on the monotonic clock */
  atomic_llong retry_at_ms;
  atomic_llong complain_at_ms[CAUSES];

  uv_mutex_t flush_lock; /* of `flushed` */
  _Atomic uint64_t flushes_wanted;
  uint64_t flushed;
  const nxc__store *flushed_store;

  uv_mutex_t mover_lock; /* of the next two */
  bool mover_started;
  uv_thread_t mover;
  atomic_bool mover_busy;
};

/* ---- the process's engines -------------------------------------------------------- */

static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t engines_lock;
static nxc__engine *engines;
static atomic_uint fork_generation;

static nxc__engine *inherited; /* the parent's; their locks may be held for ever here */

static void after_fork(void) {
  atomic_fetch_add(&fork_generation, 1);
  DL_CONCAT(inherited, engines); /* kept in sight, for those who look for leaks */
  engines = NULL;
  uv_mutex_init(&engines_lock);
}

static void init_process(void) {
  uv_mutex_init(&engines_lock);
  pthread_atfork(NULL, NULL, after_fork);
}

int nxc__usable(const nxc_cache *cache) {
  if (!cache) return NXC_E_INVALID;
  return cache->engine->generation == atomic_load(&fork_generation) ? NXC_OK : NXC_E_FORKED;
}

bool nxc__is_sane(nxc_slice s) {
  return s.data || !s.size;
}

static bool all_sane(const nxc_slice *s, size_t n) {
  if (n && !s) return false;
  for (size_t i = 0; i < n; i++) {
    if (!nxc__is_sane(s[i])) return false;
  }
  return true;
}

/* ---- time and trouble ------------------------------------------------------------- */

static int64_t wall_ms(const nxc__engine *e) {
  struct timespec t;
  if (e->options.now_ms) return e->options.now_ms(e->options.now_arg);
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whether the moment has come, for one of all that ask. */
static bool is_due(atomic_llong *at_ms, int64_t every_ms) {
  int64_t now = nxc__steady_ms();
  long long at = atomic_load_explicit(at_ms, memory_order_relaxed);
  return now >= at && atomic_compare_exchange_strong(at_ms, &at, now + every_ms);
}

/* Tells the host, through the oldest handle that has ears. No lock is held but the
 * one that keeps that handle from being closed meanwhile. */
static void complain(nxc__engine *e, enum cause cause, const char *text) {
  if (!text[0] || !is_due(&e->complain_at_ms[cause], COMPLAIN_MS)) return;
  nxc_cache *handle;
  uv_mutex_lock(&e->tell_lock);
  DL_FOREACH (e->handles, handle) {
    if (handle->on_error) break;
  }
  if (handle) handle->on_error(handle->on_error_arg, text);
  uv_mutex_unlock(&e->tell_lock);
}

static void complain_of_directory(nxc__engine *e, const nxc__trouble *trouble) {
  complain(e, trouble->fatal ? CAUSE_DIRECTORY : CAUSE_BOUND, trouble->text);
}

/* ---- the store in use ------------------------------------------------------------- */

static nxc__store *store_of(nxc__engine *e) {
  uv_mutex_lock(&e->lock);
  nxc__store *s = nxc__store_ref(e->store);
  uv_mutex_unlock(&e->lock);
  return s;
}

static void swap_store(nxc__engine *e, nxc__store *s) {
  uv_mutex_lock(&e->lock);
  nxc__store *old = e->store;
  e->store = s;
  nxc__memory_clear(e->memory);
  bool unshared = e->unshared && s->disk;
  if (unshared) e->unshared = false;
  uv_mutex_unlock(&e->lock);
  if (!old) return;
  nxc__counters_carry(old->index, s->index);
  /* What was changed here alone is unknown there, by name: so all that is old goes. */
  if (unshared) {
    nxc__tags_raise_floor(s->index, true, wall_ms(e));
    (void)nxc__index_flush(s->index);
  }
  nxc__store_unref(old);
}

/* Something was changed that other processes cannot be told of. */
static void note_unshared(nxc__engine *e) {
  uv_mutex_lock(&e->lock);
  e->unshared = true;
  uv_mutex_unlock(&e->lock);
}

/* Opens the directory's store, or what stands in for it, and puts it to use. */
static int open_store(nxc__engine *e, const nxc__store *died, nxc__trouble *trouble) {
  nxc__place place = {e->dir, e->options.disk_bytes, e->options.tag_rows};
  nxc__store *s = NULL;
  int64_t now = wall_ms(e);
  int rc = NXC_MEMORY_ONLY;

  if (e->dir) rc = nxc__store_open(&place, now, died, &s, trouble);
  if (rc == NXC_MEMORY_ONLY) {
    if (e->dir) atomic_store(&e->retry_at_ms, nxc__steady_ms() + RETRY_MS);
    if (e->store && !e->store->disk) return NXC_OK; /* what stands in goes on */
    rc = nxc__store_anonymous(e->options.tag_rows, now, died ? now : 0, &s);
  }
  if (rc == NXC_OK) swap_store(e, s);
  return rc;
}

/* Looks whether the store in use is still the directory's, and changes it if not.
 * Returns false when nothing better can be had. */
static bool refresh(nxc__engine *e) {
  if (!e->dir) return true;
  uv_mutex_lock(&e->reopen_lock);
  nxc__store *s = store_of(e);
  nxc__trouble trouble = {.fatal = false};
  bool fine = true;
  if (s->disk) {
    if (nxc__store_is_dead(s) || !nxc__store_is_current(s, e->dir)) {
      nxc__store_kill(s);
      fine = open_store(e, s, &trouble) == NXC_OK;
    }
  } else if (is_due(&e->retry_at_ms, RETRY_MS)) {
    fine = open_store(e, NULL, &trouble) == NXC_OK;
  }
  nxc__store_unref(s);
  uv_mutex_unlock(&e->reopen_lock);
  complain_of_directory(e, &trouble);
  return fine;
}

/* What a get does of it: at most every 100 ms. The time is noted afterwards, so that a
 * thread that is stopped in between keeps nobody from looking. */
static void look_sometimes(nxc__engine *e) {
  int64_t now = nxc__steady_ms();
  if (now < atomic_load_explicit(&e->check_at_ms, memory_order_relaxed)) return;
  refresh(e);
  atomic_store_explicit(&e->check_at_ms, now + CHECK_MS, memory_order_relaxed);
}

/* Locks the engine with a store in use that is not dead, and loads its epoch: true;
 * or false, not locked, when others keep replacing it. */
static bool lock_alive(nxc__engine *e, uint64_t *epoch) {
  for (int tries = 0; tries < REOPENS; tries++) {
    uv_mutex_lock(&e->lock);
    *epoch = nxc__epoch_load(e->store->index);
    if (!(*epoch & NXC__EPOCH_DEAD)) return true;
    uv_mutex_unlock(&e->lock);
    if (!refresh(e)) break;
  }
  return false;
}

/* ---- open and close --------------------------------------------------------------- */

void nxc_options_init(nxc_options *options) {
  *options = (nxc_options){
      .struct_size = sizeof *options,
      .memory_bytes = 50 * MIB,
      .disk_bytes = 1024 * MIB,
  };
}

static bool options_are_sane(const nxc_options *o) {
  return o->struct_size == sizeof *o && (o->disk_bytes == 0 || o->disk_bytes >= 8 * MIB) &&
         (!o->dir || o->dir[0]);
}

static void engine_free(nxc__engine *e) {
  if (e->mover_started) uv_thread_join(&e->mover);
  nxc__memory_destroy(e->memory);
  nxc__store_unref(e->store);
  uv_mutex_destroy(&e->tell_lock);
  uv_mutex_destroy(&e->lock);
  uv_mutex_destroy(&e->reopen_lock);
  uv_mutex_destroy(&e->flush_lock);
  uv_mutex_destroy(&e->mover_lock);
  free(e->dir);
  free(e);
}

static nxc__engine *engine_new(const nxc_options *o, char *dir, nxc__trouble *trouble) {
  nxc__engine *e = calloc(1, sizeof *e);
  if (!e) {
    free(dir);
    return NULL;
  }
  e->options = *o;
  e->dir = dir;
  e->generation = atomic_load(&fork_generation);
  uv_mutex_init_recursive(&e->tell_lock);
  uv_mutex_init(&e->lock);
  uv_mutex_init(&e->reopen_lock);
  uv_mutex_init(&e->flush_lock);
  uv_mutex_init(&e->mover_lock);
  e->memory = nxc__memory_create(o->memory_bytes, o->memory_items);
  if (e->memory && open_store(e, NULL, trouble) == NXC_OK) return e;
  engine_free(e);
  return NULL;
}

/* The name under which handles of one directory find each other; absolute, so that
 * a later chdir() changes nothing. New memory, or NULL. */
static char *name_of(const char *dir) {
  char cwd[PATH_MAX];
  char *real = realpath(dir, NULL);
  if (real) return real;
  if (dir[0] == '/' || !getcwd(cwd, sizeof cwd)) return strdup(dir);
  size_t size = strlen(cwd) + strlen(dir) + 2;
  char *path = malloc(size);
  if (path) snprintf(path, size, "%s/%s", cwd, dir);
  return path;
}

static nxc__engine *engine_for(const nxc_options *o, nxc__trouble *trouble) {
  char *name = NULL;
  nxc__engine *e = NULL;

  if (o->dir && o->disk_bytes) {
    name = name_of(o->dir);
    if (!name) return NULL;
    DL_FOREACH (engines, e) {
      if (e->dir && strcmp(e->dir, name) == 0) break;
    }
  }
  if (e) {
    free(name);
    return e;
  }
  e = engine_new(o, name, trouble);
  if (e) DL_APPEND(engines, e);
  return e;
}

int nxc_open(nxc_cache **out, const nxc_options *options) {
  if (!out || !options || !options_are_sane(options)) return NXC_E_INVALID;
  *out = NULL;
  nxc_cache *cache = calloc(1, sizeof *cache);
  if (!cache) return NXC_E_NOMEM;
  cache->on_error = options->on_error;
  cache->on_error_arg = options->on_error_arg;

  nxc__trouble trouble = {.fatal = false};
  uv_once(&once, init_process);
  uv_mutex_lock(&engines_lock);
  nxc__engine *e = engine_for(options, &trouble);
  if (e) {
    cache->engine = e;
    uv_mutex_lock(&e->tell_lock);
    DL_APPEND(e->handles, cache);
    uv_mutex_unlock(&e->tell_lock);
  }
  uv_mutex_unlock(&engines_lock);
  if (!e) {
    free(cache);
    return NXC_E_NOMEM;
  }
  uv_mutex_init(&cache->readings_lock);
  complain_of_directory(e, &trouble);
  *out = cache;
  return NXC_OK;
}

void nxc_close(nxc_cache *cache) {
  if (!cache) return;
  if (nxc__usable(cache) == NXC_OK) { /* an inherited engine is left as it is */
    nxc__engine *e = cache->engine;
    uv_mutex_lock(&engines_lock);
    uv_mutex_lock(&e->tell_lock);
    DL_DELETE(e->handles, cache);
    bool last = !e->handles;
    uv_mutex_unlock(&e->tell_lock);
    if (last) DL_DELETE(engines, e);
    uv_mutex_unlock(&engines_lock);
    if (last) engine_free(e);
    uv_mutex_destroy(&cache->readings_lock);
  }
  free(cache);
}

int nxc_set_memory(nxc_cache *cache, uint64_t bytes, uint64_t items) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  uv_mutex_lock(&cache->engine->lock);
  nxc__memory_resize(cache->engine->memory, bytes, items);
  uv_mutex_unlock(&cache->engine->lock);
  return NXC_OK;
}

uint64_t nxc_birth(nxc_cache *cache) {
  if (nxc__usable(cache) != NXC_OK) return 0;
  uv_mutex_lock(&cache->engine->lock);
  uint64_t epoch = nxc__epoch_load(cache->engine->store->index) & ~NXC__EPOCH_DEAD;
  uv_mutex_unlock(&cache->engine->lock);
  return epoch;
}

/* ---- judging ---------------------------------------------------------------------- */

static nxc__life life_of(const nxc_entry *entry) {
  const nxc__head *h = entry->record;
  return (nxc__life){h->birth, h->created_ms, h->revalidate_ms, h->expire_ms};
}

/* What the rows say of the entry's own tags. */
static void look_up_fate(nxc__index *x, const nxc_entry *entry, nxc__fate *fate) {
  nxc__life life = life_of(entry);
  nxc__fate_init(fate);
  for (size_t i = 0; i < entry->record->tag_count; i++) {
    nxc__tags_judge(x, nxc_entry_tag(entry, i), &life, fate, (int)i);
  }
  nxc__tags_judge_floor(x, &life, entry->record->tag_count > 0, fate);
}

/* And of further tags, numbered from `first`. */
static void add_soft_tags(nxc__index *x, const nxc__life *life, const nxc_slice *tags, size_t n,
                          size_t first, nxc__fate *fate) {
  for (size_t i = 0; i < n; i++) nxc__tags_judge(x, tags[i], life, fate, (int)(first + i));
  nxc__tags_judge_floor(x, life, n > 0, fate);
}

static void name_tag(nxc_found *found, nxc_slice tag) {
  size_t n = tag.size < sizeof found->why_tag ? tag.size : sizeof found->why_tag - 1;
  if (n) memcpy(found->why_tag, tag.data, n);
  found->why_tag[n] = '\0';
}

/* The verdict on an entry whose own fate is known; fills *found but its entry. */
static nxc_result judge(nxc__index *x, const nxc_entry *entry, const nxc__fate *own,
                        const nxc_query *q, uint64_t epoch, int64_t now, nxc_found *found) {
  nxc__life life = life_of(entry);
  nxc__fate fate = *own;
  size_t tags = entry->record->tag_count;
  int tag;

  add_soft_tags(x, &life, q->soft_tags, q->soft_tag_count, tags, &fate);
  nxc_result rc = nxc__verdict(&life, &fate, epoch, now, &found->why, &found->dead_at_ms, &tag);
  if (tag >= 0) {
    name_tag(found, (size_t)tag < tags ? nxc_entry_tag(entry, (size_t)tag)
                                       : q->soft_tags[(size_t)tag - tags]);
  }
  return rc;
}

/* Whether a look without further tags would find it dead. */
static bool is_dead_now(nxc__engine *e, const nxc__store *s, const nxc_entry *entry) {
  nxc_query none = {.soft_tag_count = 0};
  nxc_found found;
  nxc__fate fate;
  uint64_t epoch = nxc__epoch_load(s->index) & ~NXC__EPOCH_DEAD;
  look_up_fate(s->index, entry, &fate);
  return judge(s->index, entry, &fate, &none, epoch, wall_ms(e), &found) == NXC_MISS;
}

static void count_verdict(nxc__index *x, nxc_result rc, const nxc_found *found, unsigned class_id) {
  if (rc == NXC_MISS) {
    nxc__count(x, NXC__C_MISSES + class_id, 1);
    if (found->why == NXC_WHY_TAG || found->why == NXC_WHY_FLOOR) {
      nxc__count(x, NXC__C_DEAD_BY_TAG, 1);
    }
    if (found->why == NXC_WHY_AGE) nxc__count(x, NXC__C_DEAD_BY_AGE, 1);
    return;
  }
  nxc__count(x, (found->in_memory ? NXC__C_MEMORY_HITS : NXC__C_DISK_HITS) + class_id, 1);
  if (rc == NXC_STALE) nxc__count(x, NXC__C_STALE_HITS + class_id, 1);
}

int nxc_judge(nxc_cache *cache, const nxc_record *record, const nxc_slice *soft_tags,
              size_t soft_tag_count, nxc_found *found) {
  int rc = nxc__usable(cache), tag;
  if (rc != NXC_OK) return rc;
  if (!record || !found || !all_sane(record->tags, record->tag_count) ||
      !all_sane(soft_tags, soft_tag_count)) {
    return NXC_E_INVALID;
  }
  nxc__engine *e = cache->engine;
  look_sometimes(e);
  *found = (nxc_found){.why = NXC_WHY_ERROR, .dead_at_ms = NXC_NEVER};
  uint64_t epoch;
  if (!lock_alive(e, &epoch)) return NXC_MISS;
  nxc__store *s = nxc__store_ref(e->store);
  uv_mutex_unlock(&e->lock);
  nxc__index *x = s->index;
  nxc__life life = {record->birth, record->created_ms, record->revalidate_ms, record->expire_ms};
  nxc__fate fate;
  nxc__fate_init(&fate);
  add_soft_tags(x, &life, record->tags, record->tag_count, 0, &fate);
  add_soft_tags(x, &life, soft_tags, soft_tag_count, record->tag_count, &fate);
  rc = nxc__verdict(&life, &fate, epoch, wall_ms(e), &found->why, &found->dead_at_ms, &tag);
  if (tag >= 0) {
    size_t i = (size_t)tag;
    name_tag(found, i < record->tag_count ? record->tags[i] : soft_tags[i - record->tag_count]);
  }
  nxc__store_unref(s);
  return rc;
}

/* ---- get -------------------------------------------------------------------------- */

static int query_sane(const nxc_query *q, const nxc_found *found) {
  return q && found && nxc__is_sane(q->key) && q->class_id < NXC_CLASSES &&
                 all_sane(q->soft_tags, q->soft_tag_count)
             ? NXC_OK
             : NXC_E_INVALID;
}

/* The answer of the memory tier, under the lock; NXC__WOULD_BLOCK: look further. */
static int get_from_memory(nxc__engine *e, nxc__hash hash, const nxc_query *q, uint64_t epoch,
                           int64_t now, nxc_found *found) {
  nxc__known *known;
  nxc__index *x = e->store->index;
  nxc_entry *entry = nxc__memory_find(e->memory, hash, q->key, &known);

  if (!entry) return NXC__WOULD_BLOCK;
  if (!nxc__token_holds(&known->token)) { /* another process replaced or removed it */
    nxc__memory_remove(e->memory, hash, q->key);
    return NXC__WOULD_BLOCK;
  }
  if (known->epoch != epoch) {
    look_up_fate(x, entry, &known->fate);
    known->epoch = epoch;
  }
  found->in_memory = 1;
  nxc_result rc = judge(x, entry, &known->fate, q, epoch, now, found);
  count_verdict(x, rc, found, q->class_id);
  if (rc == NXC_MISS) {
    /* A soft tag may condemn it for this look-up alone. */
    if (known->fate.dead || found->why != NXC_WHY_TAG) {
      nxc__memory_remove(e->memory, hash, q->key);
    }
    return rc;
  }
  if (e->store->disk) nxc__ring_touch(&e->store->ring, &known->token);
  found->entry = nxc_entry_ref(entry);
  return rc;
}

static int conclude(nxc__engine *e, const nxc_query *q, const nxc__fetched *f, nxc_found *found) {
  nxc__index *x = f->store->index;

  if (f->result != NXC_OK) {
    found->why = f->result == NXC_MISS       ? NXC_WHY_ABSENT
                 : f->result == NXC__CORRUPT ? NXC_WHY_CORRUPT
                                             : NXC_WHY_ERROR;
    count_verdict(x, NXC_MISS, found, q->class_id);
    return NXC_MISS;
  }
  uint64_t epoch = nxc__epoch_load(x);
  nxc__known known = {.token = f->token, .epoch = epoch};
  look_up_fate(x, f->entry, &known.fate);
  nxc_result rc = judge(x, f->entry, &known.fate, q, epoch, wall_ms(e), found);
  count_verdict(x, rc, found, q->class_id);
  if (rc == NXC_MISS) return rc;
  found->entry = nxc_entry_ref(f->entry);
  uv_mutex_lock(&e->lock);
  if (e->store == f->store && nxc__token_holds(&f->token)) {
    nxc__memory_insert(e->memory, f->hash, f->entry, &known);
  }
  uv_mutex_unlock(&e->lock);
  return rc;
}

int nxc__conclude(nxc_cache *cache, const nxc_query *query, const nxc__fetched *fetched,
                  nxc_found *found) {
  *found = (nxc_found){.dead_at_ms = NXC_NEVER};
  return conclude(cache->engine, query, fetched, found);
}

void nxc__fetched_release(nxc__fetched *f) {
  nxc_entry_unref(f->entry);
  nxc__store_unref(f->store);
  *f = (nxc__fetched){.result = NXC_MISS};
}

static void fetch(nxc__store *s, nxc__hash hash, nxc_slice key, bool nowait, nxc__fetched *f) {
  *f = (nxc__fetched){.result = NXC_MISS, .store = s, .hash = hash};
  if (!s->disk) return;
  f->result = nxc__ring_get(&s->ring, hash, key, nowait, &f->entry, &f->token);
}

void nxc__fetch(nxc_cache *cache, nxc_slice key, nxc__fetched *f) {
  nxc__store *s = store_of(cache->engine);
  fetch(s, nxc__hash_key(&s->index->secret, key), key, false, f);
}

int nxc__get(nxc_cache *cache, const nxc_query *q, bool nowait, nxc_found *found) {
  int rc = nxc__usable(cache);
  if (rc == NXC_OK) rc = query_sane(q, found);
  if (rc != NXC_OK) return rc;

  nxc__engine *e = cache->engine;
  *found = (nxc_found){.dead_at_ms = NXC_NEVER};
  look_sometimes(e);
  int64_t now = wall_ms(e);
  uint64_t epoch;
  if (!lock_alive(e, &epoch)) {
    found->why = NXC_WHY_ERROR;
    return NXC_MISS;
  }
  nxc__hash hash = nxc__hash_key(&e->store->index->secret, q->key);
  rc = get_from_memory(e, hash, q, epoch, now, found);
  nxc__store *s = rc == NXC__WOULD_BLOCK ? nxc__store_ref(e->store) : NULL;
  uv_mutex_unlock(&e->lock);
  if (!s) return rc;

  nxc__fetched f;
  fetch(s, hash, q->key, nowait, &f);
  rc = f.result == NXC__WOULD_BLOCK ? NXC__WOULD_BLOCK : conclude(e, q, &f, found);
  nxc__fetched_release(&f);
  return rc;
}

int nxc_get(nxc_cache *cache, const nxc_query *query, nxc_found *found) {
  return nxc__get(cache, query, false, found);
}

/* ---- second lives ----------------------------------------------------------------- */

typedef struct moving {
  nxc__engine *engine;
  nxc__store *store;
} moving;

static bool is_worth_moving(void *arg, const nxc_entry *entry) {
  const moving *m = arg;
  return !nxc__store_is_dead(m->store) && !is_dead_now(m->engine, m->store, entry);
}

static void move_records(void *arg) {
  moving *m = arg;
  nxc__engine *e = m->engine;
  nxc__ring_move(&m->store->ring, is_worth_moving, m);
  nxc__store_unref(m->store);
  free(m);
  atomic_store(&e->mover_busy, false);
}

/* One short-lived thread for each segment, so that no caller pays for it. */
static void start_mover(nxc__engine *e, nxc__store *s) {
  if (atomic_exchange(&e->mover_busy, true)) return;
  moving *m = malloc(sizeof *m);
  uv_mutex_lock(&e->mover_lock);
  if (e->mover_started) uv_thread_join(&e->mover);
  e->mover_started = false;
  if (m) {
    *m = (moving){e, nxc__store_ref(s)};
    e->mover_started = uv_thread_create(&e->mover, move_records, m) == 0;
    if (!e->mover_started) {
      nxc__store_unref(s);
      free(m);
    }
  }
  if (!e->mover_started) atomic_store(&e->mover_busy, false);
  uv_mutex_unlock(&e->mover_lock);
}

/* ---- put -------------------------------------------------------------------------- */

int nxc_entry_create(nxc_cache *cache, const nxc_record *record, nxc_entry **out) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!record || !out || !nxc__is_sane(record->key) || !nxc__is_sane(record->meta) ||
      !all_sane(record->tags, record->tag_count)) {
    return NXC_E_INVALID;
  }
  nxc_record r = *record;
  if (!r.birth) {
    refresh(cache->engine); /* a birth in a store that is over would be too old */
    r.birth = nxc_birth(cache);
  }
  if (!r.created_ms) r.created_ms = wall_ms(cache->engine);
  *out = NULL;
  return nxc__record_build(&r, out);
}

static nxc_slice key_of(const nxc_entry *entry) {
  nxc_record r;
  nxc_entry_read(entry, &r);
  return r.key;
}

/* A position for the put, or for the tombstone that stands in for it: taken now, so
 * that it is not later than that of a put which the same caller begins next. */
static void reserve(nxc__put *p) {
  nxc__ring *ring = &p->store->ring;
  if (!p->store->disk) return;
  if (p->planned == NXC_OK) p->planned = nxc__ring_reserve(ring, p->hash, p->entry, &p->write);
  if (p->planned != NXC_OK && nxc__ring_reserve(ring, p->hash, NULL, &p->write) != NXC_OK) {
    p->planned = NXC_E_IO;
    p->write.word = 0;
    if (nxc__ring_is_spent(ring)) nxc__store_kill(p->store); /* the next call makes it anew */
  }
}

static void complain_of_space(nxc__engine *e) {
  char text[300];
  snprintf(text, sizeof text,
           "the file system of the cache directory %.200s is full; new entries live in memory only",
           e->dir);
  complain(e, CAUSE_SPACE, text);
}

/* The directory was looked at just before. */
static void begin(nxc_cache *cache, nxc__put *p) {
  p->cache = cache;
  p->store = store_of(cache->engine);
  p->hash = nxc__hash_key(&p->store->index->secret, p->key);
  if (p->entry && is_dead_now(cache->engine, p->store, p->entry)) p->planned = NXC_BORN_DEAD;
  reserve(p);
  if (p->store->disk && p->planned == NXC_E_IO) {
    nxc__count(p->store->index, NXC__C_DISK_ERRORS, 1);
    complain_of_space(cache->engine);
  }
}

int nxc__put_begin(nxc_cache *cache, nxc_entry *entry, nxc__put *p) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!entry) return NXC_E_INVALID;
  if (!refresh(cache->engine)) return NXC_E_NOMEM;
  *p = (nxc__put){.entry = nxc_entry_ref(entry), .key = key_of(entry)};
  begin(cache, p);
  return NXC_OK;
}

int nxc__remove_begin(nxc_cache *cache, nxc_slice key, nxc__put *p) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!nxc__is_sane(key)) return NXC_E_INVALID;
  if (!refresh(cache->engine)) return NXC_E_NOMEM;
  *p = (nxc__put){.key = key};
  begin(cache, p);
  return NXC_OK;
}

bool nxc__put_blocks(const nxc__put *p) {
  return p->store->disk;
}

/* Puts into the memory tier, unless it is not the tier of this store any more. */
static bool keep_in_memory(const nxc__put *p, const nxc__token *token) {
  nxc__engine *e = p->cache->engine;
  /* Epoch 0: the first hit looks its tags up. */
  nxc__known known = {.token = *token};
  uv_mutex_lock(&e->lock);
  bool kept = e->store == p->store && nxc__memory_insert(e->memory, p->hash, p->entry, &known);
  uv_mutex_unlock(&e->lock);
  return kept;
}

static void forget_in_memory(const nxc__put *p) {
  nxc__engine *e = p->cache->engine;
  uv_mutex_lock(&e->lock);
  nxc__memory_remove(e->memory, p->hash, p->key);
  uv_mutex_unlock(&e->lock);
}

/* Publishes what was reserved: as nxc__ring_commit(). Without a disk the memory tier
 * is all there is, and what is wanted of the disk is remembered to be missing there. */
static int commit(const nxc__put *p, nxc__token *token) {
  nxc__engine *e = p->cache->engine;
  if (p->store->disk)
    return p->write.word ? nxc__ring_commit(&p->store->ring, &p->write, token) : NXC_E_IO;
  if (e->dir) note_unshared(e);
  return p->entry && p->planned == NXC_OK ? NXC_MEMORY_ONLY : NXC_OK;
}

static int finish_remove(const nxc__put *p, int committed) {
  forget_in_memory(p);
  nxc__count(p->store->index, NXC__C_REMOVES, 1);
  bool shared = p->store->disk || !p->cache->engine->dir;
  return shared && committed != NXC_E_IO ? NXC_OK : NXC_E_IO;
}

/* A put that could not be planned: a tombstone was committed for it. The memory tier
 * may keep a value that is only too large, as long as the tombstone stands. */
static int finish_unwritten(const nxc__put *p, int committed, const nxc__token *token) {
  nxc__index *x = p->store->index;
  if (committed == NXC_OK && p->planned != NXC_BORN_DEAD && keep_in_memory(p, token)) {
    nxc__count(x, NXC__C_PUTS + p->entry->record->class_id, 1);
    return NXC_MEMORY_ONLY;
  }
  forget_in_memory(p);
  if (p->planned == NXC_BORN_DEAD) {
    nxc__count(x, NXC__C_BORN_DEAD, 1);
    return committed == NXC_E_IO ? NXC_E_IO : NXC_BORN_DEAD;
  }
  if (committed == NXC_SUPERSEDED) return committed;
  nxc__count(x, NXC__C_REFUSED, 1);
  return committed == NXC_E_IO ? NXC_E_IO : p->planned;
}

static int finish_put(const nxc__put *p, int committed, const nxc__token *token) {
  nxc__index *x = p->store->index;
  if (p->planned != NXC_OK) return finish_unwritten(p, committed, token);
  bool stands = committed == NXC_OK || committed == NXC_MEMORY_ONLY;
  bool kept = stands && keep_in_memory(p, token);
  if (committed == NXC_OK || (committed == NXC_MEMORY_ONLY && kept)) {
    nxc__count(x, NXC__C_PUTS + p->entry->record->class_id, 1);
    return committed;
  }
  forget_in_memory(p);
  if (committed == NXC_SUPERSEDED) {
    nxc__count(x, NXC__C_SUPERSEDED, 1);
    return committed;
  }
  nxc__count(x, NXC__C_REFUSED, 1);
  return p->store->disk ? NXC_E_IO : NXC_E_TOO_LARGE;
}

int nxc__put_finish(nxc__put *p) {
  nxc__token token = {NULL, 0};
  int committed = commit(p, &token);
  int rc = p->entry ? finish_put(p, committed, &token) : finish_remove(p, committed);

  if (p->write.half_way) start_mover(p->cache->engine, p->store);
  nxc_entry_unref(p->entry);
  nxc__store_unref(p->store);
  return rc;
}

int nxc_put_entry(nxc_cache *cache, nxc_entry *entry) {
  nxc__put p;
  int rc = nxc__put_begin(cache, entry, &p);
  return rc == NXC_OK ? nxc__put_finish(&p) : rc;
}

int nxc_put(nxc_cache *cache, const nxc_record *record) {
  nxc_entry *entry;
  if (record && !all_sane(record->parts, record->part_count)) return NXC_E_INVALID;
  int rc = nxc_entry_create(cache, record, &entry);
  if (rc == NXC_E_TOO_LARGE || rc == NXC_E_NOMEM) (void)nxc_remove(cache, record->key);
  if (rc != NXC_OK) return rc;
  rc = nxc_put_entry(cache, entry);
  nxc_entry_unref(entry);
  return rc;
}

int nxc_remove(nxc_cache *cache, nxc_slice key) {
  nxc__put p;
  int rc = nxc__remove_begin(cache, key, &p);
  return rc == NXC_OK ? nxc__put_finish(&p) : rc;
}

/* ---- marks ------------------------------------------------------------------------ */

int nxc__mark(nxc_cache *cache, const nxc_slice *tags, size_t n, int64_t dead_after_ms,
              nxc__store **store) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!all_sane(tags, n) || dead_after_ms < 0) return NXC_E_INVALID;
  nxc__engine *e = cache->engine;
  nxc__store *s = store_of(e);

  nxc__tags_mark(s->index, tags, n, dead_after_ms, wall_ms(e));
  /* Looked at afterwards: a store that was replaced before the mark was made must
   * not be the only one that knows it. */
  for (int tries = 0; tries < REOPENS; tries++) {
    refresh(e);
    nxc__store *now = store_of(e);
    if (now == s) {
      nxc__store_unref(now);
      break;
    }
    nxc__store_unref(s);
    s = now;
    nxc__tags_mark(s->index, tags, n, dead_after_ms, wall_ms(e));
  }
  nxc__count(s->index, NXC__C_MARKS, n);
  *store = s;
  return NXC_OK;
}

int nxc__mark_flush(nxc_cache *cache, nxc__store *s) {
  nxc__engine *e = cache->engine;
  int rc = NXC_OK;

  if (!s->disk && e->dir) {
    note_unshared(e);
    rc = NXC_E_IO;
  } else if (s->disk) {
    uint64_t mine = atomic_fetch_add(&e->flushes_wanted, 1) + 1;
    uv_mutex_lock(&e->flush_lock);
    if (e->flushed_store != s || e->flushed < mine) {
      uint64_t covers = atomic_load(&e->flushes_wanted);
      if (nxc__index_flush(s->index)) {
        rc = NXC_E_IO;
      } else {
        e->flushed = covers;
        e->flushed_store = s;
      }
    }
    uv_mutex_unlock(&e->flush_lock);
  }
  if (rc == NXC_E_IO && s->disk) {
    nxc__count(s->index, NXC__C_DISK_ERRORS, 1);
    complain(e, CAUSE_FLUSH, "an invalidation could not be flushed to the disk");
  }
  nxc__store_unref(s);
  return rc;
}

int nxc_mark(nxc_cache *cache, const nxc_slice *tags, size_t tag_count, int64_t dead_after_ms) {
  nxc__store *store;
  if (!tag_count) return nxc__usable(cache);
  int rc = nxc__mark(cache, tags, tag_count, dead_after_ms, &store);
  return rc == NXC_OK ? nxc__mark_flush(cache, store) : rc;
}

int nxc_clear(nxc_cache *cache) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  nxc__engine *e = cache->engine;
  nxc__trouble trouble = {.fatal = false};
  refresh(e); /* what is cleared is what the directory holds now */
  uv_mutex_lock(&e->reopen_lock);
  nxc__store *s = store_of(e);
  nxc__count(s->index, NXC__C_CLEARS, 1);
  if (s->disk) {
    nxc__store_remove(s, e->dir);
    rc = open_store(e, s, &trouble);
  } else {
    nxc__tags_raise_floor(s->index, true, wall_ms(e));
    uv_mutex_lock(&e->lock);
    nxc__memory_clear(e->memory);
    if (e->dir) {
      e->unshared = true;
      rc = NXC_E_IO;
    }
    uv_mutex_unlock(&e->lock);
  }
  nxc__store_unref(s);
  uv_mutex_unlock(&e->reopen_lock);
  complain_of_directory(e, &trouble);
  return rc;
}

/* ---- stats ------------------------------------------------------------------------ */

static void sum_classes(const nxc__index *x, unsigned counter, uint64_t out[NXC_CLASSES]) {
  for (unsigned i = 0; i < NXC_CLASSES; i++) out[i] = nxc__counter_sum(x, counter + i);
}

static void sum_counters(const nxc__index *x, nxc_stats *out) {
  sum_classes(x, NXC__C_MEMORY_HITS, out->memory_hits);
  sum_classes(x, NXC__C_DISK_HITS, out->disk_hits);
  sum_classes(x, NXC__C_STALE_HITS, out->stale_hits);
  sum_classes(x, NXC__C_MISSES, out->misses);
  sum_classes(x, NXC__C_PUTS, out->puts);
  out->removes = nxc__counter_sum(x, NXC__C_REMOVES);
  out->marks = nxc__counter_sum(x, NXC__C_MARKS);
  out->clears = nxc__counter_sum(x, NXC__C_CLEARS);
  out->dead_by_tag = nxc__counter_sum(x, NXC__C_DEAD_BY_TAG);
  out->dead_by_age = nxc__counter_sum(x, NXC__C_DEAD_BY_AGE);
  out->born_dead = nxc__counter_sum(x, NXC__C_BORN_DEAD);
  out->superseded = nxc__counter_sum(x, NXC__C_SUPERSEDED);
  out->refused = nxc__counter_sum(x, NXC__C_REFUSED);
  out->disk_recycled = nxc__counter_sum(x, NXC__C_DISK_RECYCLED);
  out->disk_overflow = nxc__counter_sum(x, NXC__C_DISK_OVERFLOW);
  out->disk_moved = nxc__counter_sum(x, NXC__C_DISK_MOVED);
  out->corrupt = nxc__counter_sum(x, NXC__C_CORRUPT);
  out->disk_errors = nxc__counter_sum(x, NXC__C_DISK_ERRORS);
  out->floor_raises = nxc__counter_sum(x, NXC__C_FLOOR_RAISES);
  out->bytes_written = nxc__counter_sum(x, NXC__C_BYTES_WRITTEN);
  out->bytes_read = nxc__counter_sum(x, NXC__C_BYTES_READ);
}

int nxc_stats_get(nxc_cache *cache, nxc_stats *out) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!out) return NXC_E_INVALID;
  nxc__engine *e = cache->engine;
  *out = (nxc_stats){.disk = 0};

  uv_mutex_lock(&e->lock);
  nxc__store *s = nxc__store_ref(e->store);
  nxc__memory_use use = nxc__memory_usage(e->memory);
  uv_mutex_unlock(&e->lock);
  sum_counters(s->index, out);
  out->memory_evictions = use.evictions;
  out->memory_bytes = use.bytes;
  out->memory_limit_bytes = use.limit_bytes;
  out->memory_items = use.items;
  uint64_t live = nxc__record_live_bytes();
  out->pinned_bytes = live > use.entry_bytes ? live - use.entry_bytes : 0;
  out->epoch = nxc__epoch_load(s->index) & ~NXC__EPOCH_DEAD;
  if (s->disk) {
    out->disk = 1;
    out->disk_bytes = nxc__ring_held_bytes(&s->ring);
    out->disk_limit_bytes = s->index->geometry.bound_bytes;
    out->disk_slots = (uint64_t)s->index->geometry.buckets * NXC__WAYS;
  }
  nxc__store_unref(s);
  return NXC_OK;
}
