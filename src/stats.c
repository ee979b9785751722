/* stats.c - the counters, as a struct and as JSON, for people and scrapers. */
#include "stats.h"

#include <jansson.h>
#include <string.h>

#include "engine.h"

void nxc__stats_from(const uint64_t words[NXC__COUNTERS], nxc_stats *out) {
  const size_t row = sizeof out->puts;
  memcpy(out->memory_hits, words + NXC__C_MEMORY_HITS, row);
  memcpy(out->disk_hits, words + NXC__C_DISK_HITS, row);
  memcpy(out->stale_hits, words + NXC__C_STALE_HITS, row);
  memcpy(out->misses, words + NXC__C_MISSES, row);
  memcpy(out->puts, words + NXC__C_PUTS, row);
  out->removes = words[NXC__C_REMOVES];
  out->marks = words[NXC__C_MARKS];
  out->clears = words[NXC__C_CLEARS];
  out->dead_by_tag = words[NXC__C_DEAD_BY_TAG];
  out->dead_by_age = words[NXC__C_DEAD_BY_AGE];
  out->born_dead = words[NXC__C_BORN_DEAD];
  out->superseded = words[NXC__C_SUPERSEDED];
  out->refused = words[NXC__C_REFUSED];
  out->disk_recycled = words[NXC__C_DISK_RECYCLED];
  out->disk_overflow = words[NXC__C_DISK_OVERFLOW];
  out->disk_moved = words[NXC__C_DISK_MOVED];
  out->corrupt = words[NXC__C_CORRUPT];
  out->disk_errors = words[NXC__C_DISK_ERRORS];
  out->floor_raises = words[NXC__C_FLOOR_RAISES];
  out->retries = words[NXC__C_RETRIES];
  out->memory_evictions = words[NXC__C_MEMORY_EVICTIONS];
  out->bytes_written = words[NXC__C_BYTES_WRITTEN];
  out->bytes_read = words[NXC__C_BYTES_READ];
}

void nxc__stats_add_gauges(const nxc__index *x, int row, nxc_stats *out) {
  const nxc__word *words = x->counters + (size_t)row * NXC__COUNTERS;
  out->memory_bytes += atomic_load_explicit(&words[NXC__G_MEMORY_BYTES], memory_order_relaxed);
  out->memory_limit_bytes +=
      atomic_load_explicit(&words[NXC__G_MEMORY_LIMIT], memory_order_relaxed);
  out->memory_items += atomic_load_explicit(&words[NXC__G_MEMORY_ITEMS], memory_order_relaxed);
  out->pinned_bytes += atomic_load_explicit(&words[NXC__G_PINNED], memory_order_relaxed);
}

void nxc__stats_sum(const nxc__index *x, nxc_stats *out) {
  uint64_t words[NXC__COUNTERS];
  for (unsigned i = 0; i < NXC__GAUGES; i++) words[i] = nxc__counter_sum(x, i);
  nxc__stats_from(words, out);
}

void nxc__stats_disk(const nxc__index *x, const nxc__ring *ring, nxc_stats *out) {
  out->disk = 1;
  out->disk_bytes = nxc__ring_held_bytes(ring);
  out->disk_limit_bytes = x->geometry.bound_bytes;
  out->disk_slots = (uint64_t)x->geometry.buckets * NXC__WAYS;
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
  nxc__stats_sum(s->index, out);
  out->memory_evictions = use.evictions;
  out->memory_bytes = use.bytes;
  out->memory_limit_bytes = use.limit_bytes;
  out->memory_items = use.items;
  out->pinned_bytes = nxc_pinned_bytes();
  out->epoch = nxc__epoch_load(s->index) & ~NXC__EPOCH_DEAD;
  if (s->disk) nxc__stats_disk(s->index, &s->ring, out);
  nxc__store_unref(s);
  return NXC_OK;
}

static json_t *classes(const uint64_t n[NXC_CLASSES]) {
  json_t *list = json_array();
  for (size_t i = 0; i < NXC_CLASSES; i++) {
    if (json_array_append_new(list, json_integer((json_int_t)n[i]))) break;
  }
  return list;
}

static json_t *number(uint64_t n) {
  return json_integer((json_int_t)n);
}

static json_t *as_json(const nxc_stats *s) {
#define CLASSES(field) \
  { #field, classes(s->field) }
#define NUMBER(field) \
  { #field, number(s->field) }
  const struct {
    const char *name;
    json_t *value;
  } fields[] = {
      CLASSES(memory_hits),
      CLASSES(disk_hits),
      CLASSES(stale_hits),
      CLASSES(misses),
      CLASSES(puts),
      NUMBER(removes),
      NUMBER(marks),
      NUMBER(clears),
      NUMBER(dead_by_tag),
      NUMBER(dead_by_age),
      NUMBER(born_dead),
      NUMBER(superseded),
      NUMBER(refused),
      NUMBER(memory_evictions),
      NUMBER(disk_recycled),
      NUMBER(disk_overflow),
      NUMBER(disk_moved),
      NUMBER(corrupt),
      NUMBER(disk_errors),
      NUMBER(floor_raises),
      NUMBER(retries),
      NUMBER(bytes_written),
      NUMBER(bytes_read),
      NUMBER(memory_bytes),
      NUMBER(memory_limit_bytes),
      NUMBER(memory_items),
      NUMBER(pinned_bytes),
      NUMBER(disk_bytes),
      NUMBER(disk_limit_bytes),
      NUMBER(disk_slots),
      NUMBER(epoch),
      {"disk", json_boolean(s->disk)},
  };
#undef CLASSES
#undef NUMBER
  json_t *object = json_object();
  int failed = 0;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    failed |= json_object_set_new(object, fields[i].name, fields[i].value);
  }
  if (!failed) return object;
  json_decref(object);
  return NULL;
}

char *nxc_stats_json(nxc_cache *cache) {
  nxc_stats stats;
  if (nxc_stats_get(cache, &stats) != NXC_OK) return NULL;
  json_t *object = as_json(&stats);
  if (!object) return NULL;
  char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
  json_decref(object);
  return text;
}
