/* engine.h - what all handles of one directory in one process share: the store in
 * use, the memory tier, and the ear of the host.
 */
#ifndef NXC_ENGINE_H
#define NXC_ENGINE_H

#include <pthread.h>
#include <uv.h>

#include "memory.h"
#include "store.h"

#define NXC__REOPENS 8 /* of one call, while others keep replacing the store */

typedef struct nxc__engine nxc__engine;

struct nxc_cache { /* a handle */
  nxc__engine *engine;
  nxc_cache *prev, *next; /* handles of the engine */
  void (*on_error)(void *arg, const char *message);
  void *on_error_arg;
  uint64_t told[NXC__COUNTERS - NXC__G_REMOTE]; /* remote.c: its gauges; behind `tell_lock` */
  uv_mutex_t readings_lock;                     /* of the next */
  struct nxc__reading *readings;                /* async.c: reads under way */
};

/* What the host is told of, each at most once a minute. */
enum nxc__cause {
  NXC__CAUSE_DIRECTORY,
  NXC__CAUSE_BOUND,
  NXC__CAUSE_FLUSH,
  NXC__CAUSE_SPACE,
  NXC__CAUSES
};

struct nxc__engine {
  nxc__engine *prev, *next; /* in the process's list */
  nxc_cache *handles;       /* behind `tell_lock` */
  uv_mutex_t tell_lock;     /* held while the host is told, recursive: it may call back */
  unsigned generation;      /* of fork() */
  char *dir;                /* NULL: no disk is wanted */
  nxc_options options;

  uv_mutex_t lock; /* of the next four */
  nxc__memory *memory;
  nxc__store *store;
  bool unshared; /* something was changed while the directory could not be used */
  uint64_t evictions_shown;

  uv_mutex_t reopen_lock;   /* taken before `lock` */
  atomic_llong check_at_ms; /* on the monotonic clock */
  atomic_llong retry_at_ms;
  atomic_llong elder_at_ms;
  atomic_llong complain_at_ms[NXC__CAUSES]; /* when the next line may be told */
  atomic_llong recover_at_ms[NXC__CAUSES];
  atomic_llong trouble_at_ms[NXC__CAUSES]; /* when it was last seen; 0: it is over */

  uv_mutex_t flush_lock; /* of `flushed` */
  _Atomic uint64_t flushes_wanted;
  uint64_t flushed;
  const nxc__store *flushed_store;

  uv_mutex_t mover_lock; /* of the next two */
  bool mover_started;
  uv_thread_t mover;
  atomic_bool mover_busy;
  atomic_bool mover_wanted; /* set again while it is busy */
};

/* Until the end of the block this thread is not cancelled: of a call that ends half way the
 * locks would stay locked, and what it holds would be held for ever. */
#define NXC__UNCANCELLED() \
  __attribute__((cleanup(nxc__cancel_as_before), unused)) int cancel_state = nxc__cancel_not_now()

static inline int nxc__cancel_not_now(void) {
  int before = PTHREAD_CANCEL_ENABLE;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  return before;
}

static inline void nxc__cancel_as_before(const int *before) {
  pthread_setcancelstate(*before, NULL);
}

/* NXC_OK, NXC_E_INVALID for NULL, or NXC_E_FORKED. */
int nxc__usable(const nxc_cache *cache);

int64_t nxc__wall_ms(const nxc__engine *engine);
void nxc__complain(nxc__engine *engine, enum nxc__cause cause, const char *text);
/* Tells that a trouble is over, if it was one and was not seen for so long. Both at
 * most once a minute for a cause. */
void nxc__recovered(nxc__engine *engine, enum nxc__cause cause, int64_t quiet_ms, const char *what);

/* Shows what the memory tier holds to those who look from outside. Behind `lock`. */
void nxc__show_memory(nxc__engine *engine);

/* The store in use, as a new reference. */
nxc__store *nxc__store_of(nxc__engine *engine);

/* Looks whether the store in use is still the directory's, and changes it if not.
 * Returns false when nothing better can be had. The second, for gets, looks at most
 * every 100 ms. May block. */
bool nxc__refresh(nxc__engine *engine);
void nxc__look_sometimes(nxc__engine *engine);

/* Whether a store in which something was just changed is still the one to use: 1; or
 * another is in use now, and wants the same change: 0; or NXC_E_IO. What was changed in a
 * store that other processes do not have is remembered. May block. */
int nxc__stays(nxc__engine *engine, const nxc__store *store);

/* Locks the engine with a store in use that is not dead, and loads its epoch: true;
 * or false, not locked, when others keep replacing it. */
bool nxc__lock_alive(nxc__engine *engine, uint64_t *epoch);

/* Makes the marks of a store durable, in one flush with others that wait for theirs.
 * NXC_OK or NXC_E_IO. Blocks. */
int nxc__flush(nxc__engine *engine, nxc__store *store);

#endif
