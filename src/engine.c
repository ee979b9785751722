/* engine.c - one engine per directory and process: its handles, its store, its ear.
 *
 *   handle -> engine -> memory tier      behind the engine's one mutex
 *                    -> store            replaced as a whole, counted
 *
 * A store is used outside of the mutex through a reference. Who finds that the
 * directory holds another store than the mapped one kills the old one for all,
 * opens the new one and empties the memory tier. Without a usable directory a store
 * in anonymous memory stands in, and the directory is tried again now and then.
 */
#include "engine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "tags.h"

#define MIB (UINT64_C(1) << 20)
#define CHECK_MS 100      /* between two looks at the directory by gets */
#define RETRY_MS 5000     /* between two tries of a directory that failed */
#define ELDER_MS 1000     /* between two looks whether an older release is still in use */
#define COMPLAIN_MS 60000 /* between two lines about one cause */

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

/* ---- time and trouble ------------------------------------------------------------- */

int64_t nxc__wall_ms(const nxc__engine *e) {
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
static void tell(nxc__engine *e, const char *text) {
  NXC__UNCANCELLED();
  nxc_cache *handle;
  uv_mutex_lock(&e->tell_lock);
  DL_FOREACH (e->handles, handle) {
    if (handle->on_error) break;
  }
  if (handle) handle->on_error(handle->on_error_arg, text);
  uv_mutex_unlock(&e->tell_lock);
}

void nxc__complain(nxc__engine *e, enum nxc__cause cause, const char *text) {
  if (!text[0]) return;
  int64_t now = nxc__steady_ms();
  atomic_store_explicit(&e->trouble_at_ms[cause], now ? now : 1, memory_order_relaxed);
  if (is_due(&e->complain_at_ms[cause], COMPLAIN_MS)) tell(e, text);
}

void nxc__recovered(nxc__engine *e, enum nxc__cause cause, int64_t quiet_ms, const char *what) {
  long long at = atomic_load_explicit(&e->trouble_at_ms[cause], memory_order_relaxed);
  if (!at || nxc__steady_ms() - at < quiet_ms) return;
  if (!atomic_compare_exchange_strong(&e->trouble_at_ms[cause], &at, 0)) return;
  char text[300];
  snprintf(text, sizeof text, "%s: %.200s", what, e->dir);
  if (is_due(&e->recover_at_ms[cause], COMPLAIN_MS)) tell(e, text);
}

static void complain_of_directory(nxc__engine *e, const nxc__trouble *trouble) {
  nxc__complain(e, trouble->fatal ? NXC__CAUSE_DIRECTORY : NXC__CAUSE_BOUND, trouble->text);
}

/* ---- the store in use ------------------------------------------------------------- */

nxc__store *nxc__store_of(nxc__engine *e) {
  uv_mutex_lock(&e->lock);
  nxc__store *s = nxc__store_ref(e->store);
  uv_mutex_unlock(&e->lock);
  return s;
}

void nxc__show_memory(nxc__engine *e) {
  nxc__memory_use use = nxc__memory_usage(e->memory);
  nxc__word *row = nxc__counters_of(e->store->index);
  atomic_store_explicit(&row[NXC__G_MEMORY_BYTES], use.bytes, memory_order_relaxed);
  atomic_store_explicit(&row[NXC__G_MEMORY_LIMIT], use.limit_bytes, memory_order_relaxed);
  atomic_store_explicit(&row[NXC__G_MEMORY_ITEMS], use.items, memory_order_relaxed);
  atomic_store_explicit(&row[NXC__G_PINNED], nxc_pinned_bytes(), memory_order_relaxed);
  if (use.evictions == e->evictions_shown) return;
  nxc__count(e->store->index, NXC__C_MEMORY_EVICTIONS, use.evictions - e->evictions_shown);
  e->evictions_shown = use.evictions;
}

static void swap_store(nxc__engine *e, nxc__store *s) {
  int64_t now = nxc__wall_ms(e);
  uv_mutex_lock(&e->lock);
  nxc__store *old = e->store;
  bool unshared = e->unshared && s->disk;
  /* What was changed here alone is unknown there, by name: so all that is old goes, before
   * anybody can find it. */
  if (unshared) {
    nxc__tags_raise_floor(s->index, true, now);
    e->unshared = false;
  }
  e->store = s;
  nxc__memory_clear(e->memory);
  nxc__show_memory(e);
  uv_mutex_unlock(&e->lock);
  if (!old) return;
  nxc__counters_carry(old->index, s->index);
  if (unshared) (void)nxc__index_flush(s->index);
  nxc__store_unref(old);
}

static int64_t wall_of(void *engine) {
  return nxc__wall_ms(engine);
}

/* Opens the directory's store, or what stands in for it, and puts it to use. */
static int open_store(nxc__engine *e, const nxc__store *before, nxc__trouble *trouble) {
  nxc__place place = {e->dir, e->options.disk_bytes, e->options.tag_rows, {wall_of, e}};
  nxc__store *s = NULL;
  int rc = NXC_MEMORY_ONLY;

  if (e->dir) rc = nxc__store_open(&place, before, &s, trouble);
  if (rc == NXC_MEMORY_ONLY) {
    if (e->dir) atomic_store(&e->retry_at_ms, nxc__steady_ms() + RETRY_MS);
    if (e->store && !e->store->disk) return NXC_OK; /* what stands in goes on */
    int64_t now = nxc__wall_ms(e);
    rc = nxc__store_anonymous(e->options.tag_rows, now, before ? now : 0, &s);
  }
  if (rc == NXC_OK && s->index->elder) atomic_store(&e->elder_at_ms, nxc__steady_ms() + ELDER_MS);
  if (rc == NXC_OK) swap_store(e, s);
  return rc;
}

/* As nxc__store_is_current(). A disk that fails to tell is asked again. */
static int is_the_directorys(const nxc__engine *e, const nxc__store *s) {
  if (nxc__store_is_dead(s)) return 0;
  int is = nxc__store_is_current(s, e->dir);
  return is < 0 ? nxc__store_is_current(s, e->dir) : is;
}

/* The moment to take the elder's marks over. A process that opened the elder keeps it for
 * a second, so that the elder's own may come back to it who found it just replaced. */
static bool is_last_with_elder(nxc__engine *e, const nxc__store *s) {
  return s->index->elder && is_due(&e->elder_at_ms, ELDER_MS) && nxc__index_leave(s->index->elder);
}

bool nxc__refresh(nxc__engine *e) {
  if (!e->dir) return true;
  NXC__UNCANCELLED();
  uv_mutex_lock(&e->reopen_lock);
  nxc__store *s = nxc__store_of(e);
  nxc__trouble trouble = {.fatal = false};
  bool fine = true, retried = false;
  if (s->disk) {
    int is = is_the_directorys(e, s);
    /* What cannot be looked at is opened anew, or done without. */
    if (is != 1 || is_last_with_elder(e, s)) {
      fine = open_store(e, is < 0 ? NULL : s, &trouble) == NXC_OK;
    }
  } else if (is_due(&e->retry_at_ms, RETRY_MS)) {
    fine = open_store(e, NULL, &trouble) == NXC_OK;
    retried = true;
  }
  nxc__store_unref(s);
  uv_mutex_unlock(&e->reopen_lock);
  complain_of_directory(e, &trouble);
  if (retried && fine && !trouble.fatal) {
    nxc__recovered(e, NXC__CAUSE_DIRECTORY, 0, "the cache directory can be used again");
  }
  return fine;
}

int nxc__stays(nxc__engine *e, const nxc__store *s) {
  if (!e->dir || (s->disk && is_the_directorys(e, s) == 1)) return 1;
  bool fine = nxc__refresh(e);
  uv_mutex_lock(&e->lock);
  bool stays = e->store == s;
  /* Whoever puts another store in its place from here on knows that something was changed. */
  if (stays && !s->disk) e->unshared = true;
  uv_mutex_unlock(&e->lock);
  return fine ? stays : NXC_E_IO;
}

/* What a get does of it: at most every 100 ms. The time is noted afterwards, so that a
 * thread that is stopped in between keeps nobody from looking. */
void nxc__look_sometimes(nxc__engine *e) {
  int64_t now = nxc__steady_ms();
  if (now < atomic_load_explicit(&e->check_at_ms, memory_order_relaxed)) return;
  nxc__refresh(e);
  atomic_store_explicit(&e->check_at_ms, now + CHECK_MS, memory_order_relaxed);
}

bool nxc__lock_alive(nxc__engine *e, uint64_t *epoch) {
  for (int tries = 0; tries < NXC__REOPENS; tries++) {
    uv_mutex_lock(&e->lock);
    *epoch = nxc__epoch_load(e->store->index);
    if (!(*epoch & NXC__EPOCH_DEAD)) return true;
    uv_mutex_unlock(&e->lock);
    if (!nxc__refresh(e)) break;
  }
  return false;
}

/* ---- flushing --------------------------------------------------------------------- */

/* A flush that began after a caller came covers it. */
static int flush_shared(nxc__engine *e, const nxc__store *s) {
  NXC__UNCANCELLED();
  int rc = NXC_OK;
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
  return rc;
}

int nxc__flush(nxc__engine *e, nxc__store *s) {
  if (!s->disk) return e->dir ? NXC_E_IO : NXC_OK;
  if (flush_shared(e, s) == NXC_OK) {
    nxc__recovered(e, NXC__CAUSE_FLUSH, COMPLAIN_MS, "invalidations reach the disk again");
    return NXC_OK;
  }
  nxc__count(s->index, NXC__C_DISK_ERRORS, 1);
  nxc__complain(e, NXC__CAUSE_FLUSH, "an invalidation could not be flushed to the disk");
  return NXC_E_IO;
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
  e->memory = nxc__memory_create(o->memory_bytes, o->memory_items, o->memory_lru != 0);
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
  NXC__UNCANCELLED();
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
  NXC__UNCANCELLED();
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
  nxc__show_memory(cache->engine);
  uv_mutex_unlock(&cache->engine->lock);
  return NXC_OK;
}

int nxc_clear(nxc_cache *cache) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  NXC__UNCANCELLED();
  nxc__engine *e = cache->engine;
  nxc__trouble trouble = {.fatal = false};
  nxc__refresh(e); /* what is cleared is what the directory holds now */
  uv_mutex_lock(&e->reopen_lock);
  nxc__store *s = nxc__store_of(e);
  nxc__count(s->index, NXC__C_CLEARS, 1);
  if (s->disk) {
    nxc__store_clear(s, e->dir);
    rc = open_store(e, s, &trouble);
  } else {
    nxc__tags_raise_floor(s->index, true, nxc__wall_ms(e));
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
