/* stats.c - the counters as JSON, for people and scrapers. */
#include <jansson.h>

#include "nextcache.h"

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
