/* remote.c - what processes tell of the tier that machines share, in their counter rows.
 *
 * The core has no such tier: its host does, and tells. A field of nxc_remote is a word of
 * the row: the counters, which come first, where a row that is given up is folded into the
 * past; the rest among the gauges, which end with their process. What is SINCE stands
 * there as the wall time when it was so: it goes on growing when a process tells no more.
 * Handles of one process, as its threads may have them, share its row: there stands what
 * they tell together.
 */
#include "remote.h"

#include <stddef.h>
#include <string.h>

#include "engine.h"
#include "times.h"

typedef enum kind { COUNTER, GAUGE, TIMES, SINCE } kind;
static const kind remote_kinds[] = {
#define KIND(field, kind, name, help) kind,
    NXC_REMOTE_METRICS(KIND)
#undef KIND
};
#define REMOTE_FIELDS (sizeof remote_kinds / sizeof *remote_kinds)
#define REMOTE_COUNTERS (offsetof(nxc_remote, breaker_openings) / sizeof(uint64_t) + 1)
_Static_assert(REMOTE_COUNTERS <= NXC__TIMES - NXC__C_REMOTE,
               "the counters, which come first, fit");
_Static_assert(NXC__G_REMOTE + REMOTE_FIELDS <= NXC__COUNTERS, "all fit, and into `told`");

static unsigned remote_word(size_t field) {
  return (remote_kinds[field] == COUNTER ? NXC__C_REMOTE : NXC__G_REMOTE) + (unsigned)field;
}

static uint64_t *remote_field(nxc_remote *of, size_t field) {
  return (uint64_t *)of + field;
}

void nxc__remote_sum(const nxc__index *x, nxc_remote *out) {
  for (size_t i = 0; i < REMOTE_COUNTERS; i++) {
    *remote_field(out, i) = nxc__counter_sum(x, remote_word(i));
  }
}

void nxc__remote_from(const uint64_t words[NXC__COUNTERS], nxc_remote *out) {
  memcpy(out, words + NXC__C_REMOTE, REMOTE_COUNTERS * sizeof *words);
}

void nxc__remote_add_gauges(const nxc__index *x, int row, int64_t now_ms, nxc_remote *out) {
  const nxc__word *words = x->counters + (size_t)row * NXC__COUNTERS;
  for (size_t i = REMOTE_COUNTERS; i < REMOTE_FIELDS; i++) {
    uint64_t n = atomic_load_explicit(&words[remote_word(i)], memory_order_relaxed);
    uint64_t *sum = remote_field(out, i);
    if (remote_kinds[i] == GAUGE) {
      *sum += n;
      continue;
    }
    if (remote_kinds[i] == SINCE && n) n = (uint64_t)now_ms > n ? (uint64_t)now_ms - n : 0;
    if (n > *sum) *sum = n;
  }
}

/* The sum of what two handles tell, the longest time, or the moment that is longer ago. */
static uint64_t together(kind how, uint64_t a, uint64_t b) {
  if (how == GAUGE) return a + b;
  if (how == TIMES) return a > b ? a : b;
  return a && (a < b || !b) ? a : b;
}

static void tell_gauges(nxc_cache *cache, nxc_remote *now, int64_t now_ms, nxc__word *words) {
  nxc__engine *e = cache->engine;
  uv_mutex_lock(&e->tell_lock);
  for (size_t i = REMOTE_COUNTERS; i < REMOTE_FIELDS; i++) {
    uint64_t n = *remote_field(now, i), sum = 0;
    if (remote_kinds[i] == SINCE) n = (uint64_t)now_ms > n ? (uint64_t)now_ms - n : 0;
    cache->told[i] = n;
    for (const nxc_cache *h = e->handles; h; h = h->next) {
      sum = together(remote_kinds[i], sum, h->told[i]);
    }
    atomic_store_explicit(&words[remote_word(i)], sum, memory_order_relaxed);
  }
  uv_mutex_unlock(&e->tell_lock);
}

int nxc_remote_tell(nxc_cache *cache, const nxc_remote *now) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!now) return NXC_E_INVALID;
  nxc__store *s = nxc__store_of(cache->engine);
  nxc_remote told = *now;
  for (size_t i = 0; i < REMOTE_COUNTERS; i++) {
    nxc__count(s->index, remote_word(i), *remote_field(&told, i));
  }
  tell_gauges(cache, &told, nxc__wall_ms(cache->engine), nxc__counters_of(s->index));
  nxc__store_unref(s);
  return NXC_OK;
}

int nxc_remote_get(nxc_cache *cache, nxc_remote *out) {
  int rc = nxc__usable(cache);
  if (rc != NXC_OK) return rc;
  if (!out) return NXC_E_INVALID;
  *out = (nxc_remote){.gets = 0};
  nxc__store *s = nxc__store_of(cache->engine);
  nxc__remote_sum(s->index, out);
  nxc__remote_add_gauges(s->index, s->index->counter_row, nxc__wall_ms(cache->engine), out);
  nxc__store_unref(s);
  return NXC_OK;
}
