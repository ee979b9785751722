/* counters.c - the counters by name: one table for tables, JSON and Prometheus. */
#include <string.h>

#include "cli.h"

#define AT(field) offsetof(nxc_stats, field)
#define COUNTER(field, metric, help) \
  { #field, metric, help, AT(field), false, false }
#define CLASSES(field, metric, help) \
  { #field, metric, help, AT(field), true, false }
#define GAUGE(field, metric, help) \
  { #field, metric, help, AT(field), false, true }

/* clang-format off */
const cli_counter cli_counters[] = {
    CLASSES(memory_hits, "memory_hits_total", "Look-ups answered by the memory tier."),
    CLASSES(disk_hits, "disk_hits_total", "Look-ups answered by the disk tier."),
    CLASSES(stale_hits, "stale_hits_total", "Hits on entries that were stale."),
    CLASSES(misses, "misses_total", "Look-ups without an answer."),
    CLASSES(puts, "puts_total", "Entries that were stored."),
    COUNTER(removes, "removes_total", "Entries that were removed by key."),
    COUNTER(marks, "marks_total", "Tags that were marked by invalidations."),
    COUNTER(clears, "clears_total", "Times that everything was cleared."),
    COUNTER(dead_by_tag, "dead_by_tag_total", "Misses that found an invalidated entry."),
    COUNTER(dead_by_age, "dead_by_age_total", "Misses that found an expired entry."),
    COUNTER(born_dead, "born_dead_total", "Entries invalidated before they were stored."),
    COUNTER(superseded, "superseded_total", "Entries not kept: a newer one was there."),
    COUNTER(refused, "refused_total", "Entries too large to be stored."),
    COUNTER(memory_evictions, "memory_evictions_total", "Entries pushed out of a memory tier."),
    COUNTER(disk_recycled, "disk_recycled_segments_total", "Segments of the ring written anew."),
    COUNTER(disk_overflow, "disk_overflow_total", "Entries pushed out of a full bucket."),
    COUNTER(disk_moved, "disk_moved_total", "Entries given a second life."),
    COUNTER(corrupt, "corrupt_total", "Entries found damaged."),
    COUNTER(disk_errors, "disk_errors_total", "Reads and writes that failed."),
    COUNTER(floor_raises, "floor_raises_total", "Times that old tag marks had to be forgotten."),
    COUNTER(bytes_written, "disk_written_bytes_total", "Bytes written to the ring."),
    COUNTER(bytes_read, "disk_read_bytes_total", "Bytes read from the ring."),
    COUNTER(retries, "retries_total", "Times that a step met another process and began anew."),
    GAUGE(memory_bytes, "memory_bytes", "Bytes of the memory tiers of all processes."),
    GAUGE(memory_limit_bytes, "memory_limit_bytes", "Bounds of these tiers, added up."),
    GAUGE(memory_items, "memory_items", "Entries in these tiers."),
    GAUGE(pinned_bytes, "pinned_bytes", "Bytes in use that are in no tier any more."),
    GAUGE(disk_bytes, "disk_bytes", "Bytes of the ring that are allocated."),
    GAUGE(disk_limit_bytes, "disk_limit_bytes", "Bound of the ring."),
    GAUGE(disk_slots, "disk_slots", "Entries that the index has room for."),
    GAUGE(epoch, "epoch", "The number of the last invalidation."),
    {0},
};
/* clang-format on */

uint64_t cli_counter_of(const cli_counter *counter, const nxc_stats *stats, unsigned class_id) {
  uint64_t n;
  size_t at = counter->offset + (counter->by_class ? class_id * sizeof n : 0);
  memcpy(&n, (const char *)stats + at, sizeof n);
  return n;
}

uint64_t cli_sum(const uint64_t row[NXC_CLASSES]) {
  uint64_t n = 0;
  for (size_t i = 0; i < NXC_CLASSES; i++) n += row[i];
  return n;
}

static json_t *classes_json(const cli_counter *counter, const nxc_stats *stats) {
  json_t *object = json_object();
  for (unsigned i = 0; i < CLI_CLASSES; i++) {
    json_int_t n = (json_int_t)cli_counter_of(counter, stats, i);
    json_object_set_new(object, cli_class_names[i], json_integer(n));
  }
  return object;
}

json_t *cli_stats_json(const nxc_stats *stats) {
  json_t *object = json_object();
  for (const cli_counter *c = cli_counters; c->name; c++) {
    json_t *value = c->by_class ? classes_json(c, stats)
                                : json_integer((json_int_t)cli_counter_of(c, stats, 0));
    json_object_set_new(object, c->name, value);
  }
  return object;
}
